"""From the rows of a source to texts and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ranklet.data.reading.row import Row, read_label, read_label_set, read_text
from ranklet.data.reading.settings import ReadingSettings
from ranklet.errors import DataError
from ranklet.labels import Label


def read_records(
    rows: Iterable[Row],
    text_columns: Sequence[str],
    label_column: str | None,
    source: str,
    settings: ReadingSettings,
) -> Iterator[tuple[int, str, Label]]:
    """Yield the line, text and label of each row; the label is empty where no column is named.

    Raises:
        DataError: A text or label that cannot be used, with its line.
    """
    has_one = settings.problem_type == "single_label_classification"
    read = read_label if has_one else read_label_set
    for row in rows:
        text = joined_text(row, text_columns, source)
        if not text.strip() and not settings.allow_empty:
            message = "empty text; delete the row or fill it in"
            raise DataError(message, source, row.line, " + ".join(text_columns))
        yield row.line, text, read(row, label_column, source) if label_column else ""


def joined_text(row: Row, columns: Sequence[str], source: str) -> str:
    """Return the text of a row, of several columns joined by a space."""
    return " ".join(read_text(row, column, source) for column in columns)
