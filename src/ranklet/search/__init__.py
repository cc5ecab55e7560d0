"""The search for the best recipe under a budget: its trials, and what to believe of them."""
