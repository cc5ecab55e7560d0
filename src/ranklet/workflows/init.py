"""From somebody's data to the recipe that a first training takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ranklet.data.reading.find_columns import FoundColumns, find_columns
from ranklet.data.reading.label_cells import read_label
from ranklet.data.reading.label_column import Place, single_labels
from ranklet.data.reading.row import Row
from ranklet.data.reading.sources import first_rows, splits_of
from ranklet.data.words import count_words
from ranklet.errors import DataError
from ranklet.recipe import Recipe, load_recipe, to_yaml
from ranklet.workflows.from_recipe.reading_settings import reading_settings

BEGINNING = "default"
"""The built-in recipe that it begins with."""

ROWS = 1000
SHOWN_LABELS = 12


@dataclass(frozen=True)
class FirstRecipe:
    """A recipe for data that nobody wrote one for.

    Attributes:
        recipe: The built-in `default` with the data in it.
        seen: What was seen in the data, a line each.
    """

    recipe: Recipe
    seen: tuple[str, ...]

    def to_yaml(self) -> str:
        """Write the recipe without its defaults, what was seen as comments."""
        comments = "".join(f"# {line}\n" for line in self.seen)
        return comments + to_yaml(self.recipe, with_defaults=False)


def init(
    data: str | Path,
    test: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    label: str | None = None,
    overrides: Sequence[str] = (),
) -> FirstRecipe:
    """Make the recipe of a first training: find the columns of the data, and name them.

    Only the first 1,000 rows are looked at. A folder or a data set with parts for validation and
    test gives these too.

    Args:
        data: Training texts: file, folder, named set or hub data set.
        test: Test texts; None: those in the data, if any.
        text: Columns of the text; empty: found.
        label: Column of the label; None: found.
        overrides: Texts such as `training.epochs=5`, as of `load_recipe`.

    Raises:
        DataError: The data cannot be read, or their columns are in doubt.
        RecipeError: An override is wrong.
    """
    splits = splits_of(str(data))
    if test is not None:
        splits = {**splits, "test": str(test)}
    sources = [f"data.{split}={json.dumps(source)}" for split, source in splits.items()]
    recipe = load_recipe(BEGINNING, [*sources, *overrides])
    section = recipe.data
    stated = section.model_fields_set
    if "text_column" in stated and not text:
        column = section.text_column
        text = [column] if isinstance(column, str) else column
    if "label_column" in stated and label is None:
        label = section.label_column
    if section.label_columns and label is None:
        label = section.label_columns[0]
    rows, advised = _first_rows(recipe, [*sources, *overrides])
    columns = find_columns(rows, section.train, text, label)
    text_column = list(columns.text) if len(columns.text) > 1 else columns.text[0]
    named = [*advised, f"data.text_column={json.dumps(text_column)}"]
    if not section.label_columns:
        named.append(f"data.label_column={json.dumps(columns.label)}")
    if "problem_type" not in stated:
        named += _kind_of_labels(rows, columns.label, section.train)
    recipe = load_recipe(BEGINNING, [*sources, *named, *overrides])
    read_by = [f"read with {' '.join(advised)}, as the file looks"] if advised else []
    return FirstRecipe(recipe, (*read_by, *_seen(rows, columns)))


def _first_rows(recipe: Recipe, overrides: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Read the first rows, with the settings that a refusal says most likely help; return both.

    Raises:
        DataError: They cannot be read with those either.
    """
    section, settings = recipe.data, list[str]()
    while True:
        try:
            return first_rows(section.train, reading_settings(section), ROWS), settings
        except DataError as error:
            helpful = [setting for setting in error.settings if setting not in settings]
            if not helpful:
                raise
            settings += helpful
            section = load_recipe(BEGINNING, [*overrides, *settings]).data


def _kind_of_labels(rows: Sequence[Row], label: str, source: str) -> list[str]:
    """Return what cells with several labels need; whatever else is wrong is for the training."""
    place = Place(source, label, [row.line for row in rows])
    try:
        single_labels([read_label(row, label, source) for row in rows], place)
    except DataError as error:
        return list(error.settings)
    return []


def _seen(rows: Sequence[Row], columns: FoundColumns) -> list[str]:
    texts = [" ".join(row.cells.get(name, "") for name in columns.text) for row in rows]
    words = [count_words(text) for text in texts]
    labels = Counter(
        str(item)
        for row in rows
        for item in row.lists.get(columns.label, [row.cells.get(columns.label, "")])
    )
    shown = ", ".join(f"{name} {count}" for name, count in labels.most_common(SHOWN_LABELS))
    more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
    first = "all" if len(rows) < ROWS else f"the first {ROWS:,}"
    return [
        f"text: {' + '.join(columns.text)}, label: {columns.label}",
        f"in {first} {len(rows):,} rows: {min(words)} to {max(words)} words a text, half of them "
        f"at most {median(words):.0f}; {len(labels)} labels: {shown}{more}",
    ]
