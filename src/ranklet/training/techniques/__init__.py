"""Techniques beside the plain recipe; docs/developers/experiments.md says which of them helped where."""
