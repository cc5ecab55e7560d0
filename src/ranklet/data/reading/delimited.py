"""Comma- and tab-separated files: the standard library's csv under stricter rules.

Cells are quoted as in RFC 4180, in .tsv files too. Everything is text: `NA` and `null` stay so.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ranklet.data.hints import listed
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.lines import read_lines, without_last_blanks
from ranklet.data.reading.row import MAX_CELL_CHARACTERS, Row, require_columns
from ranklet.errors import DataError
from ranklet.vocabulary import Quoting

QUOTES: dict[Quoting, str | None] = {"double": '"', "single": "'", "none": None}
DELIMITER_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
# What the csv module says -> what it means for the file.
MESSAGES = {
    "field larger than": f"cell of more than {MAX_CELL_CHARACTERS:,} characters; "
    "is a quote left open in this row?",
    "new-line character": "carriage return (CR) that ends no line; save the file with LF or "
    "CRLF line ends, or quote the cell",
    "unexpected end of data": "a quote opened in this row is never closed; close it, or write a "
    'quote inside a quoted cell as ""',
    "expected after": 'text after a closing quote; write a quote inside a quoted cell as ""',
}


def read_delimited(
    file: BinaryIO, source: str, dialect: Dialect, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield the rows below the header line, which must have `columns`, streaming.

    Raises:
        DataError: A header with empty, repeated, missing or wrongly separated names, a row with too
            few or too many cells, a blank line between rows, or broken quoting.
    """
    delimiter = dialect.separator or ","
    records = _records(file, source, dialect)
    header: Sequence[str] | None = dialect.columns
    if header is None:
        _, header = next(records, (1, None))
    if header is None:
        raise DataError("the file is empty; its first line must hold the column names", source)
    _check_header(header, source, delimiter)
    require_columns(columns or (), header, source, line=1)
    for line, cells in without_last_blanks(records, lambda cells: not cells, source):
        if len(cells) != len(header):
            amount = "too few" if len(cells) < len(header) else "too many"
            message = (
                f"{amount} cells: {len(cells)} where the header has {len(header)}; quote cells "
                "that contain the separator or a line break"
            )
            raise DataError(message, source, line)
        yield Row(line, dict(zip(header, cells, strict=True)))


def _records(file: BinaryIO, source: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, its cells)."""
    # The limit is one number for the whole process: only ever raise it, for the sake of others.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARACTERS))
    texts = (text for _, text in read_lines(file, source, dialect.encoding))
    quote = QUOTES[dialect.quoting or "double"]
    reader = csv.reader(
        texts,
        delimiter=dialect.separator or ",",
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(_quoting(error, line, reader.line_num), source, line) from error
        if any(len(cell) > MAX_CELL_CHARACTERS for cell in cells):
            raise DataError(MESSAGES["field larger than"], source, line)
        yield line, cells


def _quoting(error: csv.Error, line: int, noticed: int) -> str:
    said = str(error)
    message = next((text for start, text in MESSAGES.items() if start in said), said)
    return f"{message} (noticed on line {noticed})" if noticed > line else message


def _check_header(header: Sequence[str], source: str, delimiter: str) -> None:
    if not header:
        raise DataError("blank; the first line must hold the column names", source, 1)
    for position, name in enumerate(header, start=1):
        if not name.strip():
            message = f"column {position} has no name; name it (pandas: to_csv(..., index=False))"
            raise DataError(message, source, 1)
        if name in header[: position - 1]:
            message = f"two columns are named {name!r}; the columns are {listed(header)}"
            raise DataError(message, source, 1)
    if len(header) == 1:
        _check_delimiter(header[0], source, delimiter)


def _check_delimiter(name: str, source: str, delimiter: str) -> None:
    separator = next((mark for mark in DELIMITER_NAMES if mark != delimiter and mark in name), None)
    if separator is not None:
        fix = {"\t": "name it .tsv", ",": "name it .csv"}.get(separator, "convert it")
        message = (
            f"one column named {name!r}: its cells seem to be separated by "
            f"{DELIMITER_NAMES[separator]}, not {DELIMITER_NAMES[delimiter]}; {fix}"
        )
        raise DataError(message, source, 1)
