"""One file for each thing a user does; what one verb alone uses is private to it."""
