"""Training: fit (the only loop), one step of it, which moment is kept, and how it goes on."""
