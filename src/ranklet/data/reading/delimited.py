"""Delimited text files, such as .csv and .tsv: the standard library's csv under stricter rules.

Everything is text: `NA` and `null` stay so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import BinaryIO

from ranklet.data.reading.csv_records import Line, Record, as_data_errors, read_records
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.found_dialect import (
    find_dialect,
    fits,
    refuse_swallowed,
    swallowed,
    take_beginning,
)
from ranklet.data.reading.header import (
    has_label,
    looks_like_row,
    named_columns,
    wanted_columns,
    without_header,
)
from ranklet.data.reading.lines import open_lines, without_last_blanks
from ranklet.data.reading.row import Row
from ranklet.errors import DataError

ROWS_COMPARED = 200
USUAL_COLUMNS = ("text", "label")
SEPARATOR_LINE = "sep="
"""What Excel writes before the first line, followed by the separator."""


def read_delimited(
    file: BinaryIO,
    source: str,
    dialect: Dialect,
    columns: Sequence[str] | None = None,
    usual: str = ",",
) -> Iterator[Row]:
    """Yield the rows below the header line, which must have `columns`, streaming.

    Args:
        file: What is read.
        source: Its name in messages.
        dialect: What is known of how it is written; the rest is found.
        columns: Columns to read; None: all.
        usual: Separator of a file in whose first line none stands.

    Raises:
        DataError: A dialect that is not certain, a column that is missing or not the only one of
            its name, a row with too few or too many cells, a blank line between rows, or broken
            quoting.
    """
    encoding, lines = open_lines(file, source, dialect.encoding)
    lines, stated = _without_separator_line(lines, replace(dialect, encoding=encoding))
    beginning, lines = take_beginning(lines)
    settled, is_certain = find_dialect(beginning, stated, columns or (), usual, source)
    separator, quoting = settled.separator or usual, settled.quoting or "double"
    records = as_data_errors(read_records(lines, separator, quoting), source)
    header, line = settled.columns, 1
    if header is None:
        header, line = _header(records, source)
    first = list(islice(records, ROWS_COMPARED))
    positions = _positions(header, columns, [cells for cells, _ in first], settled, source, line)
    for cells, taken in _rows(chain(first, records), source):
        if not is_certain and swallowed(taken, header, separator):
            raise refuse_swallowed(taken[0][0], taken[-1][0], source)
        if not fits(cells, header):
            raise _uneven(cells, header, settled, source, taken)
        yield Row(taken[0][0], _cells(cells, positions), dialect=settled)


def _without_separator_line(
    lines: Iterator[Line], dialect: Dialect
) -> tuple[Iterator[Line], Dialect]:
    first = next(lines, None)
    if first is None:
        return lines, dialect
    text = first[1].strip("\r\n")
    if text.startswith(SEPARATOR_LINE) and len(text) == len(SEPARATOR_LINE) + 1:
        return lines, replace(dialect, separator=dialect.separator or text[-1])
    return chain([first], lines), dialect


def _header(records: Iterator[Record], source: str) -> tuple[tuple[str, ...], int]:
    cells, lines = next(records, (None, []))
    if cells is None:
        raise DataError("the file is empty; its first line must hold the column names", source)
    if not any(map(str.strip, cells)):
        message = "blank; the first line must hold the column names"
        raise DataError(message, source, lines[0][0])
    return tuple(cells), lines[0][0]


def _positions(
    header: Sequence[str],
    wanted: Sequence[str] | None,
    rows: Sequence[Sequence[str]],
    dialect: Dialect,
    source: str,
    line: int,
) -> Mapping[str, int]:
    """Return where the columns that are read stand."""
    is_stated = dialect.columns is not None
    if wanted is None:
        if not is_stated and has_label(header, rows):
            raise without_header(header, rows, USUAL_COLUMNS, source, line)
        return named_columns(header)
    is_named = is_stated or set(wanted) <= {name.strip() for name in header}
    if not is_named and looks_like_row(header, rows):
        raise without_header(header, rows, wanted, source, line)
    return wanted_columns(header, wanted, source, line)


def _rows(records: Iterator[Record], source: str) -> Iterator[Record]:
    numbered = ((record[1][0][0], record) for record in records)
    for _, record in without_last_blanks(numbered, lambda record: not record[0], source):
        yield record


def _cells(cells: Sequence[str], positions: Mapping[str, int]) -> dict[str, str]:
    # Only empty cells at the end of a row may be missing.
    count = len(cells)
    return {name: cells[at] if at < count else "" for name, at in positions.items()}


def _uneven(
    cells: Sequence[str],
    header: Sequence[str],
    dialect: Dialect,
    source: str,
    lines: Sequence[Line],
) -> DataError:
    amount = "too few" if len(cells) < len(header) else "too many"
    names = "the header has" if dialect.columns is None else "data.columns names"
    advice = "quote cells that contain the separator or a line break"
    if any('"' in text for _, text in lines) and dialect.quoting == "double":
        advice += "; where quotes are plain characters, set data.quoting=none"
    message = f"{amount} cells: {len(cells)} where {names} {len(header)}; {advice}"
    return DataError(message, source, lines[0][0])
