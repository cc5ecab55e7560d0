"""Row: one record of a source, before anybody knows which column is the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from ranklet.data.hints import listed, nearest
from ranklet.data.reading.dialect import Dialect
from ranklet.errors import DataError

MAX_CELL_CHARACTERS = 1_000_000
MOST_COMPARED = 1_000
MISSING = "a null"
LABEL_KINDS = ("an integer", "a boolean", "a fraction")
"""Values that are no texts and can be labels."""

REPEATED = object()
"""The value of a key that an object has twice."""


class ColumnError(DataError):
    """Columns that are wanted and cannot be had.

    Attributes:
        wanted: Their names.
        problem: Why not.
        instead: Names to give instead.
    """

    def __init__(
        self,
        problem: str,
        wanted: Sequence[str],
        instead: Sequence[str],
        source: str,
        line: int | None,
        advice: str = "",
    ) -> None:
        super().__init__("; ".join(filter(None, (problem, advice))), source, line)
        self.problem, self.wanted, self.instead = problem, wanted, instead

    def advised(self, options: Mapping[str, Sequence[str]]) -> ColumnError:
        """Return the error with the option that names each column, out of the options by column."""
        wanted = [option for option, names in options.items() if set(names) & set(self.wanted)]
        spelled = " ".join(wanted)
        if len(self.wanted) == 1:
            spelled = " or ".join(f"{spelled} {name}" for name in self.instead)
            advice = f"name it: {spelled}"
        else:
            advice = f"name them: {' '.join(f'{option} COLUMN' for option in wanted)}"
        return ColumnError(self.problem, self.wanted, self.instead, self.source, self.line, advice)


@dataclass(frozen=True)
class Row:
    """One record.

    Attributes:
        line: Line on which the row starts, counted from 1; for parquet the row number.
        cells: Text of each column; numbers and booleans of typed formats as Python writes them.
        kinds: What the value was in the source, for the columns where it was no usable text
            (`"an integer"`, `"a null"`); only `LABEL_KINDS` are also in `cells`.
        lists: Items of the columns whose value was a list, of any type.
        dialect: How the file is written, where that may differ from file to file.
    """

    line: int
    cells: Mapping[str, str]
    kinds: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[object]] = field(default_factory=dict)
    dialect: Dialect | None = None


def typed_row(line: int, values: Mapping[str, object]) -> Row:
    """Build a row from the typed values of a JSON object or a parquet record."""
    kinds = {column: value_kind(value) for column, value in values.items()}
    return Row(
        line,
        cells={
            column: str(value)
            for column, value in values.items()
            if kinds[column] is None or kinds[column] in LABEL_KINDS
        },
        kinds={column: kind for column, kind in kinds.items() if kind is not None},
        lists={column: value for column, value in values.items() if isinstance(value, list)},
    )


def value_kind(value: object) -> str | None:
    """Name what a value is, or None where it is a text that can be used."""
    if isinstance(value, str):
        return _text_defect(value)
    if isinstance(value, bool):
        return "a boolean"
    if value is REPEATED:
        return "a key that stands twice"
    if is_missing(value):
        return MISSING
    if isinstance(value, float) and not isfinite(value):
        return "an infinity"
    names = {int: "an integer", float: "a fraction", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "no text")


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, NaN, and what pandas has in their place."""
    nan = isinstance(value, float) and value != value
    return value is None or nan or type(value).__name__ in ("NAType", "NaTType")


def _text_defect(text: str) -> str | None:
    if len(text) > MAX_CELL_CHARACTERS:
        return f"a text of {len(text):,} characters (at most {MAX_CELL_CHARACTERS:,} are allowed)"
    if "\0" in text:
        return "a text with a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a text with a lone surrogate, which is no character"
    return None


def read_text(row: Row, column: str, source: str) -> str:
    """Return the text of a column; a missing value is an empty text.

    Raises:
        DataError: The column is missing in this row, or its value is no text.
    """
    kind = row.kinds.get(column)
    if kind == MISSING:
        return ""
    if kind is not None:
        raise DataError(f"found {kind} where a text must stand", source, row.line, column)
    return present_cell(row, column, source)


def require_columns(
    wanted: Sequence[str], columns: Sequence[str], source: str, line: int | None
) -> None:
    """Check that every wanted column is there.

    Raises:
        ColumnError: Some are missing; names those that are there, and the nearest.
    """
    present = set(columns)
    missing = [name for name in wanted if name not in present]
    if missing:
        names = " and ".join(map(repr, missing))
        problem = f"no column {names}; the columns are {listed(columns)}"
        if len(missing) == 1:
            # Looking for the nearest of very many names takes minutes.
            problem += nearest(missing[0], columns[:MOST_COMPARED])
        raise ColumnError(problem, missing, ["COLUMN"], source, line)


def present_cell(row: Row, column: str, source: str) -> str:
    """Return the cell of a column.

    Raises:
        ColumnError: The row has no such column.
    """
    others = [name for name in row.kinds if name not in row.cells]
    require_columns([column], [*row.cells, *others], source, row.line)
    return row.cells[column]
