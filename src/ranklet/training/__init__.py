"""Training: fit (the only loop), and what it is given: steps, loss, optimizer, schedule."""
