"""Parts of verify: what a run claims, and each check of it."""
