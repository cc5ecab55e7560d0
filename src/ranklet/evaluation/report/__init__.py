"""Pages and figures: everything an evaluation shows, drawn from numbers that others made."""
