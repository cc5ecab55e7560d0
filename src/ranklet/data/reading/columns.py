"""Where texts and labels stand in a file or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.settings import ReadingSettings


@dataclass(frozen=True)
class Columns:
    """Where texts and labels stand in a file or a table.

    Attributes:
        text: Column of the text, or several, joined by a space; None: as in the run, else `text`.
        label: Column of the label; None: as in the run, else `label`.
        dialect: How a delimited file is written; None: as in the run, else as the file shows.
        keep: Columns that `predict` writes beside its answers, as they stand, such as an id.
        fields: Fields of the data section of a recipe that say how data are read, in place of the
            run's; see `READING_FIELDS`.
    """

    text: str | Sequence[str] | None = None
    label: str | None = None
    dialect: Dialect | None = None
    keep: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


AS_IN_RUN = Columns()
"""The columns of the run; where there is none, `text` and `label`."""

DIALECT_FIELDS = tuple(entry.name for entry in fields(Dialect))
READING_FIELDS = (
    "text_column",
    "label_column",
    "label_columns",
    "label_separator",
    *DIALECT_FIELDS,
)
"""What may be read otherwise than a run does."""


def with_columns(settings: ReadingSettings, columns: Columns) -> ReadingSettings:
    """Return settings in which whatever a caller names stands in the place of the run's."""
    given = {name: value for name, value in columns.fields.items() if name in READING_FIELDS}
    written = {name: given.pop(name) for name in DIALECT_FIELDS if name in given}
    if columns.text:
        given["text_column"] = columns.text
    if columns.label:
        given |= {"label_column": columns.label, "label_columns": None}
    dialect = replace(columns.dialect or settings.dialect, **written)
    return replace(settings, dialect=dialect, **given)
