"""Built-in recipes: found, read, short, and not hidden by folders of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ranklet.errors import RecipeError
from ranklet.recipe import builtin_names, load_recipe, to_yaml
from ranklet.recipe.builtin import describe, read_builtin
from ranklet.recipe.tree import parse_tree, plain
from ranklet.recipe.yaml_file import parse_recipe


def test_names_are_those_of_the_files() -> None:
    folder = Path(load_recipe.__code__.co_filename).parent / "recipes"
    assert builtin_names() == ("ag_news", "quickstart")
    assert {path.name for path in folder.rglob("*")} == {"ag_news.yaml", "quickstart.yaml"}


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipe_loads_round_trips_and_holds_only_what_differs(name: str) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(to_yaml(recipe)) == recipe
    text = read_builtin(name)
    assert text.startswith(f"# {describe(name)}\n")
    tree, _ = parse_tree(text, str)
    written = plain(tree)
    assert isinstance(written, dict)
    defaults = parse_recipe("data: {train: x}").model_dump(mode="json")
    for field, value in written.items():
        pairs = value.items() if isinstance(value, dict) else [(None, value)]
        for key, chosen in pairs:
            default = defaults[field] if key is None else defaults[field][key]
            assert chosen != default or field == "encoder"


def test_what_the_built_in_recipes_are_for() -> None:
    quickstart, ag_news = load_recipe("quickstart"), load_recipe("ag_news")
    assert (quickstart.encoder, quickstart.data.train) == ("minilm", "newsbites")
    assert quickstart.data.test == "newsbites"
    assert (ag_news.encoder, ag_news.data.train) == ("roberta-base", "ag_news")
    assert ag_news.data.test == "ag_news"
    assert ag_news.budget <= 1_000_000


def test_a_folder_of_the_name_does_not_hide_a_recipe_but_a_file_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ag_news").mkdir()
    assert load_recipe("ag_news").data.train == "ag_news"
    Path("quickstart").write_text("data: {train: mine.csv}", encoding="utf-8")
    assert load_recipe("quickstart").data.train == "mine.csv"


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".txt"])
@pytest.mark.parametrize("start", ["", "\ufeff", "%YAML 1.2\n---\n", "# comment\r\n"])
def test_a_file_is_read_as_text_or_path(tmp_path: Path, suffix: str, start: str) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text(f"{start}data: {{train: café.csv}}\n", encoding="utf-8", newline="")
    assert load_recipe(path) == load_recipe(str(path))
    assert load_recipe(path, ["seed=4"]).seed == 4
    assert load_recipe(path).data.train == "café.csv"


def test_unknown_built_in_recipe_lists_the_known() -> None:
    with pytest.raises(RecipeError, match=r"nope: no built-in .* there are ag_news, quickstart"):
        describe("nope")
