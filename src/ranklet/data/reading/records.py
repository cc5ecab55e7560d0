"""From the rows of a source to texts and what stands in their label columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.label_cells import RawLabel, read_label, read_one_hot
from ranklet.data.reading.memory import TEXT, pair_of
from ranklet.data.reading.row import MISSING, ColumnError, Row, read_text
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.texts import Text, is_blank
from ranklet.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """One text of a source.

    Attributes:
        line: See `Row.line`.
        text: The text, joined out of its columns, or a pair of them.
        label: What stands in its label columns; empty where none are read.
        dialect: See `Row.dialect`.
        is_blank: Whether the row has neither text nor label and is to be left out.
    """

    line: int
    text: Text
    label: RawLabel
    dialect: Dialect | None
    is_blank: bool = False


def read_records(
    rows: Iterable[Row],
    text_columns: Sequence[str],
    label_columns: Sequence[str],
    source: str,
    settings: ReadingSettings,
) -> Iterator[Record]:
    """Yield the records of rows, in their order.

    Args:
        rows: What is read.
        text_columns: Joined by a space, or the two of a pair.
        label_columns: The column of the label, or one for each label; none: no labels are read.
        source: What messages call it.
        settings: Whether texts are pairs and may be empty, and whether each label has a column.

    Raises:
        DataError: A column, text or label that cannot be used, with its line.
    """
    is_one_hot = settings.label_columns is not None and bool(label_columns)
    try:
        for row in rows:
            text = text_of(row, text_columns, settings.pair, source)
            is_empty = is_blank(text)
            if is_empty and settings.empty == "refuse":
                message = (
                    "empty text; delete the row, fill it in, or set data.empty to drop or keep"
                )
                raise DataError(message, source, row.line, " + ".join(text_columns))
            label: RawLabel = ""
            if is_empty and settings.empty == "drop" and _have_nothing(row, label_columns):
                yield Record(row.line, text, label, row.dialect, is_blank=True)
                continue
            if is_one_hot:
                label = read_one_hot(row, label_columns, source)
            elif label_columns:
                label = read_label(row, label_columns[0], source)
            yield Record(row.line, text, label, row.dialect)
    except ColumnError as error:
        label_option = "data.label_columns" if is_one_hot else "--label"
        raise error.advised({"--text": text_columns, label_option: label_columns}) from error


def text_of(row: Row, columns: Sequence[str], pair: bool, source: str) -> Text:
    """Return the text of a row: its columns joined by a space, or the two of a pair.

    Raises:
        DataError: A column is missing, its value is no text, or a pair has not two texts.
    """
    if pair and columns == [TEXT] and TEXT in row.lists:
        return pair_of(row.lists[TEXT], source, row.line)
    texts = [read_text(row, column, source) for column in columns]
    if not pair:
        return " ".join(texts)
    if len(texts) != 2:
        message = "a pair needs two texts a row; name two text columns, or give pairs in Python"
        raise DataError(message, source, row.line, " + ".join(columns))
    return texts[0], texts[1]


def _have_nothing(row: Row, columns: Sequence[str]) -> bool:
    """Tell whether label columns are there and all empty or missing."""
    return bool(columns) and all(
        row.kinds.get(column) == MISSING or not row.cells.get(column, "-").strip()
        for column in columns
    )
