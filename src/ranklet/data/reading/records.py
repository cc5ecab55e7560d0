"""From the rows of a source to texts and what stands in their label columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.label_cells import RawLabel, read_label, read_one_hot
from ranklet.data.reading.row import ColumnError, Row, read_text
from ranklet.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """One text of a source.

    Attributes:
        line: See `Row.line`.
        text: The text, joined out of its columns.
        label: What stands in its label columns; empty where none are read.
        dialect: See `Row.dialect`.
    """

    line: int
    text: str
    label: RawLabel
    dialect: Dialect | None


def read_records(
    rows: Iterable[Row],
    text_columns: Sequence[str],
    label_columns: Sequence[str],
    source: str,
    is_one_hot: bool = False,
    allow_empty: bool = False,
) -> Iterator[Record]:
    """Yield the records of rows, in their order.

    Args:
        rows: What is read.
        text_columns: Joined by a space.
        label_columns: The column of the label, or one for each label; none: no labels are read.
        source: What messages call it.
        is_one_hot: Whether there is a column for each label.
        allow_empty: Take empty texts as they are.

    Raises:
        DataError: A column, text or label that cannot be used, with its line.
    """
    try:
        for row in rows:
            text = joined_text(row, text_columns, source)
            if not text.strip() and not allow_empty:
                message = "empty text; delete the row or fill it in"
                raise DataError(message, source, row.line, " + ".join(text_columns))
            label: RawLabel = ""
            if is_one_hot:
                label = read_one_hot(row, label_columns, source)
            elif label_columns:
                label = read_label(row, label_columns[0], source)
            yield Record(row.line, text, label, row.dialect)
    except ColumnError as error:
        label_option = "data.label_columns" if is_one_hot else "--label"
        raise error.advised({"--text": text_columns, label_option: label_columns}) from error


def joined_text(row: Row, columns: Sequence[str], source: str) -> str:
    """Return the text of a row, of several columns joined by a space."""
    return " ".join(read_text(row, column, source) for column in columns)
