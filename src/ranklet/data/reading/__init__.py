"""Files, named sets and hub data sets as rows, and rows as texts with labels."""
