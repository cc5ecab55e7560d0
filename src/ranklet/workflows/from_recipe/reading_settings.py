"""How the data of a recipe are read, and other data as its run does."""

from __future__ import annotations

from dataclasses import replace

from ranklet.data.reading.columns import Columns
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.settings import ReadingSettings
from ranklet.recipe import DataSection


def reading_settings(section: DataSection) -> ReadingSettings:
    """Return which columns a recipe reads, and what they mean."""
    return ReadingSettings(
        text_column=section.text_column,
        label_column=section.label_column,
        label_names=section.label_names,
        problem_type=section.problem_type,
        empty=section.empty,
        pair=section.pair,
        dialect=Dialect(section.separator, section.quoting, section.encoding, section.columns),
    )


def every_row(settings: ReadingSettings) -> ReadingSettings:
    """Return settings that leave out no row: an answer is owed to each, and counts."""
    return replace(settings, empty="refuse" if settings.empty == "refuse" else "keep")


def with_columns(settings: ReadingSettings, columns: Columns) -> ReadingSettings:
    """Return settings in which whatever a caller names stands in the place of the run's."""
    return replace(
        settings,
        text_column=columns.text or settings.text_column,
        label_column=columns.label or settings.label_column,
        dialect=columns.dialect or settings.dialect,
    )
