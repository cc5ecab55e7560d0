"""Files, named sets and hub data sets as rows, and rows as texts with labels.

Readers take an open file and `source`, its name in messages.
"""
