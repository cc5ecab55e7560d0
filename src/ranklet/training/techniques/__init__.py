"""Techniques beside the plain recipe; where they help: docs/developers/experiments.md."""
