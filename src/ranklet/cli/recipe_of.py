"""The recipe that a command means by what it was given: a recipe's name, its file, or data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ranklet.recipe import Recipe


def recipe_of(
    source: str, text: Sequence[str], label: str | None, test: str | None, overrides: Sequence[str]
) -> tuple[Recipe, Sequence[str]]:
    """Return the recipe that is named, or one for data; and what was seen in these."""
    from ranklet.data.reading.sources import names_data
    from ranklet.recipe import load_recipe, names_recipe
    from ranklet.workflows.init import init

    if not names_recipe(source) and names_data(source):
        first = init(source, test, text=text, label=label, overrides=overrides)
        return first.recipe, first.seen
    columns = text[0] if len(text) == 1 else list(text) or None
    named = {"text_column": columns, "label_column": label, "test": test}
    given = [f"data.{key}={json.dumps(value)}" for key, value in named.items() if value is not None]
    return load_recipe(source, [*given, *overrides]), ()
