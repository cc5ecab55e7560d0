"""One file for each thing a user does; the only place that unpacks a Recipe."""
