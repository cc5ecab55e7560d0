"""Frozen linear maps multiplied in 8-bit integers, forward and backward."""
