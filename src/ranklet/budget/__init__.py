"""The budget: the count before (plan) and the count after (certificate)."""
