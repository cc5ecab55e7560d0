"""Plain text files: one text per line, in the column `text`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ranklet.data.reading.lines import read_lines
from ranklet.data.reading.row import MAX_CELL_CHARACTERS, Row
from ranklet.errors import DataError

TEXT_COLUMN = "text"


def read_text_lines(file: BinaryIO, source: str) -> Iterator[Row]:
    """Yield one row per line, streaming; blank lines at the end are left out.

    Raises:
        DataError: A carriage return inside a line, or a line of more than 1,000,000 characters.
    """
    blanks: list[int] = []
    for line, raw in read_lines(file, source):
        text = raw.removesuffix("\n").removesuffix("\r")
        if not text:
            blanks.append(line)
            continue
        _check(text, source, line)
        yield from (Row(blank, {TEXT_COLUMN: ""}) for blank in blanks)
        blanks.clear()
        yield Row(line, {TEXT_COLUMN: text})


def _check(text: str, source: str, line: int) -> None:
    if "\r" in text:
        message = "carriage return (CR) that ends no line; save the file with LF or CRLF line ends"
        raise DataError(message, source, line)
    if len(text) > MAX_CELL_CHARACTERS:
        message = f"text of {len(text):,} characters; at most {MAX_CELL_CHARACTERS:,} are allowed"
        raise DataError(message, source, line)
