"""A recipe as others read it: its paths shortened; and as it is meant on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ranklet.local_paths import LocalPaths, is_path, local_path, shared_model, shortened, whole_path
from ranklet.recipe.recipe import Recipe
from ranklet.recipe.tree import dotted

_MODELS = (("encoder",), ("distillation", "teacher"))
_DATA = (
    ("data", "train"),
    ("data", "validation"),
    ("data", "test"),
    ("data", "unlabelled"),
)


def shared_recipe(recipe: Recipe) -> tuple[Recipe, LocalPaths]:
    """Return a recipe without the paths of a machine, and these: field -> written -> whole path."""
    paths: dict[str, dict[str, str]] = {}

    def shorten(field: str, name: str, is_model: bool) -> str:
        written = shared_model(name) if is_model else shortened(name) if is_path(name) else name
        taken = paths.setdefault(field, {})
        number, plain = 1, written
        while written in taken:  # teachers of one name in several folders
            number += 1
            written = f"{plain}-{number}"
        taken |= whole_path(written, name)
        return written

    return _mapped(recipe, shorten), {field: names for field, names in paths.items() if names}


def on_this_machine(recipe: Recipe, folder: Path) -> Recipe:
    """Return a recipe with the whole paths that `local.json` of its folder holds, if it has any."""
    return _mapped(recipe, lambda field, name, _: local_path(folder, field, name))


def _mapped(recipe: Recipe, change: Callable[[str, str, bool], str]) -> Recipe:
    values = recipe.model_dump(mode="json")
    for keys, is_model in _fields():
        section: dict[str, Any] = values
        for key in keys[:-1]:
            section = section[key]
        value, field = section[keys[-1]], dotted(keys)
        if isinstance(value, str):
            section[keys[-1]] = change(field, value, is_model)
        elif isinstance(value, list):
            section[keys[-1]] = [change(field, name, is_model) for name in value]
    return Recipe.model_validate_json(json.dumps(values))


def _fields() -> Iterator[tuple[tuple[str, ...], bool]]:
    yield from ((keys, True) for keys in _MODELS)
    yield from ((keys, False) for keys in _DATA)
