"""Several models on the same rows: which differences are real."""
