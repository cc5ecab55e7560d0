"""docs/reference/recipe.md is generated and complete."""

from __future__ import annotations

from pathlib import Path

from ranklet.recipe import Recipe
from ranklet.recipe.allowed import field_types, section_of
from ranklet.recipe.reference import recipe_reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "recipe.md"


def test_page_is_what_the_models_say() -> None:
    hint = "run python -m ranklet.recipe.reference > docs/reference/recipe.md"
    assert PAGE.read_text(encoding="utf-8") == recipe_reference(), hint


def test_every_field_has_one_row_of_four_cells() -> None:
    rows = [line for line in recipe_reference().splitlines() if line.startswith("| `")]
    fields = [row.split("`")[1] for row in rows]
    expected = [
        f"{name}.{key}" if section else name
        for name, annotation in field_types(Recipe).items()
        for section in [section_of(annotation)]
        for key in (section.model_fields if section else [name])
    ]
    assert sorted(fields) == sorted(expected)
    assert all(row.count(" | ") == 3 and "Default" not in row for row in rows)


def test_layers_are_said_to_be_numbers_and_ranges() -> None:
    [row] = [line for line in recipe_reference().splitlines() if "| `adapter.layers`" in line]
    items = "list of 1 or more: whole number >= 0 or range such as 0-5"
    assert row.split(" | ")[1] == f"{items}, or range such as 0-5, or null"
