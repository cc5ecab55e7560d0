"""`ranklet recipes`: what is listed, and what is printed of a built-in recipe or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe import Recipe, builtin_names, load_recipe
from ranklet.recipe.allowed import allowed, field_types, section_of
from ranklet.recipe.yaml_file import parse_recipe


@pytest.fixture
def shown(ranklet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    """Show a recipe in an empty working directory, and read what was printed."""
    monkeypatch.chdir(tmp_path)

    def read_back(*arguments: str) -> Recipe:
        answer = ranklet("recipes", "show", *arguments)
        assert (answer.returncode, answer.stderr) == (0, "")
        return parse_recipe(answer.stdout)

    return read_back


def typed_fields() -> Iterator[tuple[str, object]]:
    """Yield every field that a recipe can hold, sections included, and its annotation."""
    for name, annotation in field_types(Recipe).items():
        yield name, annotation
        if section := section_of(annotation):
            yield from ((f"{name}.{key}", inner) for key, inner in field_types(section).items())


def test_the_built_in_recipes_are_listed_and_each_is_shown_whole(ranklet: Any, shown: Any) -> None:
    answer = ranklet("recipes")
    listed = dict(line.split(maxsplit=1) for line in answer.stdout.splitlines())
    assert (answer.returncode, tuple(listed)) == (0, builtin_names())
    assert listed["quickstart"].startswith("MiniLM on the bundled newsbites sample")
    whole = set(listed) - {"default"}  # which has no data of its own
    assert {name: shown(name) for name in whole} == {name: load_recipe(name) for name in whole}
    named = ["data.train=mine.csv"]
    assert shown("default", "--set", *named) == load_recipe("default", named)


def test_what_the_built_in_recipes_are_for(shown: Any) -> None:
    quickstart, ag_news = shown("quickstart"), shown("ag_news")
    assert (quickstart.encoder, quickstart.data.train) == ("minilm", "newsbites")
    assert quickstart.data.test == "newsbites"
    assert (ag_news.encoder, ag_news.data.train) == ("roberta-base", "ag_news")
    assert ag_news.data.test == "ag_news"
    assert ag_news.budget <= 1_000_000


def test_a_folder_of_the_name_does_not_hide_a_recipe_but_a_file_is_meant(
    tmp_path: Path, shown: Any
) -> None:
    (tmp_path / "ag_news").mkdir()
    assert shown("ag_news").data.train == "ag_news"
    (tmp_path / "quickstart").write_text("data: {train: mine.csv}", encoding="utf-8")
    assert shown("quickstart").data.train == "mine.csv"


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".txt"])
@pytest.mark.parametrize("start", ["", "\ufeff", "%YAML 1.2\n---\n", "# comment\r\n"])
def test_a_file_is_read_as_text_or_path(
    suffix: str, start: str, tmp_path: Path, shown: Any
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text(f"{start}data: {{train: café.csv}}\n", encoding="utf-8", newline="")
    recipe = shown(path.name)
    assert recipe.data.train == "café.csv"
    assert recipe == shown(str(path)) == load_recipe(path)
    assert shown(path.name, "--set", "seed=4").seed == 4


@pytest.mark.parametrize(("field", "annotation"), [*typed_fields()])
def test_a_wrong_value_of_any_field_is_answered_with_what_it_takes(
    field: str, annotation: object, problem_of: Any
) -> None:
    if field == "tune":
        pytest.skip("a space has messages of its own: tests/unit/recipe/test_space.py")
    phrase = allowed(annotation)
    assert phrase
    assert not set(phrase) & set("[]|()")
    override = f"{field}=[[true]]"
    problem = problem_of(
        f"--set {override}", field, "recipes", "show", "ag_news", "--set", override
    )
    assert problem in (f"got {value}; allowed: {phrase}" for value in ("[[true]]", "[true]"))
