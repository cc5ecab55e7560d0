"""How the data of a recipe are read."""

from __future__ import annotations

from dataclasses import replace

from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.settings import ReadingSettings
from ranklet.recipe import DataSection


def reading_settings(section: DataSection) -> ReadingSettings:
    """Return which columns a recipe reads, and what they mean."""
    return ReadingSettings(
        text_column=section.text_column,
        label_column=section.label_column,
        label_columns=section.label_columns,
        label_separator=section.label_separator,
        label_names=section.label_names,
        label_values=section.label_values,
        problem_type=section.problem_type,
        empty=section.empty,
        pair=section.pair,
        dialect=Dialect(section.separator, section.quoting, section.encoding, section.columns),
    )


def every_row(settings: ReadingSettings) -> ReadingSettings:
    """Return settings that leave out no row: an answer is owed to each, and counts."""
    return replace(settings, empty="refuse" if settings.empty == "refuse" else "keep")
