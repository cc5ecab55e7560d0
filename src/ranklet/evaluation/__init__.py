"""What answers are worth: numbers with intervals, comparisons, estimates and pages.

Its files hold numbers only; `comparison` sets several models beside each other, `unlabelled` does
without labels, and `report` alone knows how anything looks.
"""
