"""What stands in the label columns of one row, before that of the others is known."""

from __future__ import annotations

from collections.abc import Sequence

from ranklet.data.reading.row import LABEL_KINDS, Row, present_cell, require_columns, value_kind
from ranklet.errors import DataError

RawLabel = str | tuple[str, ...]
"""A cell, or the items of a list."""

GIVEN = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def read_label(row: Row, column: str, source: str) -> RawLabel:
    """Return the cell of a label column, numbers and booleans as text, or the items of a list.

    Raises:
        DataError: The column is missing in this row, or its value is no label.
    """
    kind = row.kinds.get(column)
    if column in row.lists:
        items = row.lists[column]
        kinds = [value_kind(item) for item in items]
        wrong = [kind for kind in kinds if kind is not None and kind not in LABEL_KINDS]
        if not wrong:
            return tuple(str(item) for item in items)
        kind = f"{wrong[0]} in a list"
    if kind is not None and kind not in LABEL_KINDS:
        message = f"found {kind} where a label must stand; labels are texts or numbers"
        raise DataError(message, source, row.line, column)
    return present_cell(row, column, source)


def read_one_hot(row: Row, columns: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the names of the label columns that hold 1 or true, where the others hold 0 or false.

    Raises:
        DataError: A column is missing in this row, or holds something else.
    """
    require_columns(columns, [*row.cells, *row.kinds], source, row.line)
    given = []
    for column in columns:
        cell = row.cells.get(column)
        if cell is None or cell.strip().lower() not in GIVEN:
            shown = row.kinds.get(column, repr(cell))
            message = f"found {shown} where 0 or 1 must stand (data.label_columns)"
            raise DataError(message, source, row.line, column)
        if GIVEN[cell.strip().lower()]:
            given.append(column)
    return tuple(given)
