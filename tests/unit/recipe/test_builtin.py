"""Built-in recipes: found, read, short, and not hidden by folders of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ranklet.errors import RecipeError
from ranklet.recipe import builtin_names, load_recipe, to_yaml
from ranklet.recipe.builtin import describe, read_builtin
from ranklet.recipe.tree import plain
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.recipe.yaml_tree import parse_tree


def test_names_are_those_of_the_files() -> None:
    folder = Path(load_recipe.__code__.co_filename).parent / "recipes"
    assert {"ag_news", "quickstart"} < set(builtin_names())
    assert {path.name for path in folder.rglob("*")} == {f"{name}.yaml" for name in builtin_names()}


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipe_loads_round_trips_and_holds_only_what_differs(name: str) -> None:
    # That for anybody's data names none.
    recipe = load_recipe(name, ["data.train=x"] if name == "default" else [])
    assert parse_recipe(to_yaml(recipe)) == recipe
    text = read_builtin(name)
    assert text.startswith(f"# {describe(name)}\n")
    tree, _ = parse_tree(text, str)
    written = plain(tree)
    assert isinstance(written, dict)
    defaults = parse_recipe("data: {train: x}").model_dump(mode="json")
    written.pop("tune", None)  # a space has no defaults
    for field, value in written.items():
        pairs = value.items() if isinstance(value, dict) else [(None, value)]
        for key, chosen in pairs:
            default = defaults[field] if key is None else defaults[field][key]
            assert chosen != default or field == "encoder"


def test_unknown_built_in_recipe_lists_the_known() -> None:
    with pytest.raises(RecipeError, match=r"nope: no built-in .* there are ag_news, .*quickstart"):
        describe("nope")
