"""The recipes that come with the package: `recipes/NAME.yaml`, read as package data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ranklet.errors import RecipeError, RecipeIssue

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in recipes, sorted."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name[: -len(".yaml")] for name in names if name.endswith(".yaml")))


def read_builtin(name: str) -> str:
    """Return the YAML text of a built-in recipe.

    Raises:
        RecipeError: No built-in recipe of this name.
    """
    if name not in builtin_names():
        message = f"no built-in recipe of this name; there are {', '.join(builtin_names())}"
        raise RecipeError([RecipeIssue(name, "", message)])
    return _folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def describe(name: str) -> str:
    """Return what a built-in recipe is for: the comment in its first line.

    Raises:
        RecipeError: No built-in recipe of this name.
    """
    return read_builtin(name).partition("\n")[0].removeprefix("#").strip()


def _folder() -> Traversable:
    from importlib.resources import files  # slow to import, and `--help` does without

    return files("ranklet.recipe").joinpath("recipes")
