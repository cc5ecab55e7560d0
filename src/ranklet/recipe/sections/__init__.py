"""The sections of a recipe: what each field means and which values it takes on its own.

The docstring below a field is its help text, here and in `docs/reference/recipe.md`; it ends with
the default. What two fields say to each other is checked in `recipe.py`.
"""
