"""Recipes in and out of YAML 1.2: `load_recipe` finds and reads one, `to_yaml` writes it whole.

Everything wrong with a recipe is raised together. Paths inside a recipe stay as they are written.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.files import check_regular_file
from ranklet.local_paths import LOCAL_FILE
from ranklet.recipe.builtin import builtin_names, read_builtin
from ranklet.recipe.issues import check_tree
from ranklet.recipe.overrides import apply_overrides, parse_overrides
from ranklet.recipe.recipe import Recipe
from ranklet.recipe.shared import on_this_machine
from ranklet.recipe.tree import one_line, scalar_of

MAX_BYTES = 1 << 20
FEWEST_FIELDS = "data: {train: FILE}"

# Text that YAML takes for text without quotes, wherever it stands.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


def load_recipe(
    source: str | Path, overrides: Sequence[str] = (), *, as_shared: bool = False
) -> Recipe:
    """Read a recipe from a YAML file or take a built-in one, and put overrides in.

    Args:
        source: An existing file, a name that ends in `.yaml` or `.yml`, or else the name of a
            built-in recipe.
        overrides: Texts such as `training.epochs=5`; see `ranklet.recipe.overrides`.
        as_shared: Leave paths as they are written, also those of which a `local.json` beside the
            file knows the whole.

    Raises:
        RecipeError: With an issue for everything that is wrong, in the file and the overrides.
    """
    name, text = _read(source)
    recipe = parse_recipe(text, name, overrides)
    folder = Path(source).parent
    if as_shared or not os.path.isfile(folder / LOCAL_FILE):
        return recipe
    return on_this_machine(recipe, folder)


def names_recipe(source: str | Path) -> bool:
    """Tell whether a name is that of a recipe, built in or a YAML file, and not of data."""
    return Path(source).suffix in (".yaml", ".yml") or str(source) in builtin_names()


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Return a recipe as it is, or load the one that is named; see `load_recipe`."""
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def parse_recipe(text: str, name: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe from YAML text, which issues call `name`; overrides are as in `load_recipe`.

    Raises:
        RecipeError: With an issue for everything that is wrong.
    """
    from ranklet.recipe.yaml_tree import parse_tree

    tree, repeated = parse_tree(text, lambda line: f"{name}:{line}")
    applied, unread = parse_overrides(overrides)
    recipe, refused = check_tree(apply_overrides(tree, applied))
    issues = [*repeated, *unread, *refused]
    if recipe is None or issues:
        raise RecipeError(sorted(issues, key=lambda issue: line_of(issue, name)))
    return recipe


def data_fields(overrides: Sequence[str], allowed: Sequence[str]) -> dict[str, object]:
    """Read overrides of some fields of the data section, where there is no recipe to change.

    Args:
        overrides: Texts such as `data.encoding=cp1252`.
        allowed: Fields that may be set, such as `encoding`.

    Raises:
        RecipeError: With an issue for everything that is wrong.
    """
    applied, unread = parse_overrides(overrides)
    others = [
        RecipeIssue(
            override.node.where,
            ".".join(override.path),
            f"cannot be set here; allowed: {', '.join(f'data.{name}' for name in allowed)}",
        )
        for override in applied
        if override.path[0] != "data" or override.path[1:2] not in [(name,) for name in allowed]
    ]
    if unread or others:
        raise RecipeError([*unread, *others])
    section = parse_recipe(FEWEST_FIELDS, "--set", overrides).data
    return {override.path[1]: getattr(section, override.path[1]) for override in applied}


def line_of(issue: RecipeIssue, name: str) -> int:
    """Return the line of an issue in the file `name`; overrides come after every line."""
    line = issue.where.removeprefix(f"{name}:")
    return int(line) if line.isdecimal() else sys.maxsize


def to_yaml(recipe: Recipe, with_defaults: bool = True) -> str:
    """Write a recipe with all its defaults; `parse_recipe` gives an equal recipe back.

    Without them, it holds what it was made from and no more. Else left out are only the fields that
    another one replaces: `training.batch_size` where `batch_tokens` is set, and
    `training.warmup_ratio` where `warmup_steps` is.
    """
    values = recipe.model_dump(mode="json", exclude_unset=not with_defaults)
    return "".join(_lines(values, ""))


def _lines(pairs: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in pairs.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_inline(key)}:\n"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{_inline(key)}: {_inline(value)}\n"


def _inline(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_inline(item) for item in value)}]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and isinstance(scalar_of(value), str)
        return value if plain else f'"{"".join(map(_escaped, value))}"'
    # What is left, YAML writes as JSON does: numbers, true, false, null and {}.
    return json.dumps(value, allow_nan=False)


def _escaped(char: str) -> str:
    if char in '\\"':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08X}"


def _read(source: str | Path) -> tuple[str, str]:
    """Return the name that issues give a recipe, and its text."""
    path, name = Path(source), one_line(str(source), 200)
    if isinstance(source, Path) or path.suffix in (".yaml", ".yml") or path.is_file():
        return name, read_text(path)
    if name in builtin_names():
        return f"{name}.yaml", read_builtin(name)
    raise _error(name, _no_recipe(path, name))


def read_text(path: Path, kind: str = "recipe") -> str:
    """Return the text of a file.

    Args:
        path: Where it lies.
        kind: What it is taken for.

    Raises:
        RecipeError: It cannot be read, is not UTF-8 or is larger than any recipe.
    """
    builtin = " or built-in name" if kind == "recipe" else ""
    name = one_line(str(path), 200)
    check_regular_file(path, lambda problem: _error(name, problem))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _error(name, f"no such file; give a {kind}'s path{builtin}") from error
    except IsADirectoryError as error:
        raise _error(name, f"a folder; a {kind} is a YAML file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _error(name, f"cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise _error(name, f"more than {MAX_BYTES} bytes; this is not a {kind}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise _error(f"{name}:{line}", message) from error


def _no_recipe(path: Path, name: str) -> str:
    builtin = builtin_names()
    near = get_close_matches(name, builtin, n=1)
    folder = f"a folder; a recipe is a file in it, such as {path / 'recipe.yaml'}"
    return (
        (folder if path.is_dir() else "no such file or built-in recipe")
        + (f"; did you mean {near[0]}?" if near else "")
        + f"; built in: {', '.join(builtin)}"
    )


def _error(where: str, message: str) -> RecipeError:
    return RecipeError([RecipeIssue(where, "", message)])
