"""Techniques beside the plain recipe; docs/experiments.md says which of them helped where."""
