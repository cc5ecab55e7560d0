"""Records of a delimited file: the standard library's csv under stricter rules."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from ranklet.data.reading.row import MAX_CELL_CHARACTERS
from ranklet.errors import DataError
from ranklet.vocabulary import Quoting

Line = tuple[int, str]
"""Number and text of a physical line, its end kept."""

Record = tuple[list[str], list[Line]]
"""Cells of a record, and the lines it stands on."""

QUOTES: dict[Quoting, str | None] = {"double": '"', "single": "'", "none": None}
PLAIN_QUOTES = "where quotes are plain characters, set data.quoting=none"
# What the csv module says -> what it means for the file.
MESSAGES = {
    "field larger than": f"cell of more than {MAX_CELL_CHARACTERS:,} characters; "
    f"is a quote left open in this row? {PLAIN_QUOTES}",
    "new-line character": "carriage return (CR) that ends no line; save the file with LF or "
    "CRLF line ends, or quote the cell",
    "unexpected end of data": "a quote opened in this row is never closed; close it, or write a "
    f'quote inside a quoted cell as ""; {PLAIN_QUOTES}',
    "expected after": 'text after a closing quote; write a quote inside a quoted cell as ""; '
    + PLAIN_QUOTES,
}


class RecordError(ValueError):
    """A record that breaks the rules of its dialect.

    Attributes:
        line: Where the record begins.
        is_unfinished: Whether it only lacks its end.
    """

    def __init__(self, message: str, line: int, is_unfinished: bool) -> None:
        super().__init__(message)
        self.line = line
        self.is_unfinished = is_unfinished


def read_records(lines: Iterable[Line], separator: str, quoting: Quoting) -> Iterator[Record]:
    """Yield records, streaming.

    Raises:
        RecordError: Broken quoting, or a cell that is too long.
    """
    # The limit is one number for the whole process: only ever raise it, for the sake of others.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARACTERS))
    taken: list[Line] = []
    quote = QUOTES[quoting]
    reader = csv.reader(
        _noting(lines, taken),
        delimiter=separator,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _record_error(str(error), taken) from error
        if any(len(cell) > MAX_CELL_CHARACTERS for cell in cells):
            raise _record_error("field larger than", taken)
        yield cells, list(taken)


def as_data_errors(records: Iterable[Record], source: str) -> Iterator[Record]:
    """Yield records; what is wrong with one is said of its file.

    Raises:
        DataError: Broken quoting, or a cell that is too long.
    """
    try:
        yield from records
    except RecordError as error:
        raise DataError(str(error), source, error.line) from error


def plain_cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line in which quotes are plain characters."""
    return line.rstrip("\r\n").split(separator)


def _noting(lines: Iterable[Line], taken: list[Line]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line[1]


def _record_error(reason: str, taken: list[Line]) -> RecordError:
    first, last = taken[0][0], taken[-1][0]
    message = next((text for start, text in MESSAGES.items() if start in reason), reason)
    if last > first:
        message += f" (noticed on line {last})"
    return RecordError(message, first, "unexpected end" in reason)
