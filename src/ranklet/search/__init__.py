"""The search for the best recipe under a budget: its space, its trials, and what to believe of it."""
