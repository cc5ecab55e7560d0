"""Spreadsheets (`.xlsx`), row by row (extra `formats`).

Cells are what an export as csv would show: numbers as decimal text, dates as in ISO 8601, empty
cells as empty text.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, BinaryIO

from ranklet.data.hints import first_line, listed
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.lines import without_last_blanks
from ranklet.data.reading.row import Row, require_columns, typed_row
from ranklet.errors import DataError, MissingExtraError

MAX_UNPACKED_BYTES = 1_000_000_000
# What the library raises of damaged files; a ParseError is a SyntaxError.
DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, SyntaxError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)

Cells = tuple[object, ...]


def read_spreadsheet(
    file: BinaryIO, source: str, columns: Sequence[str] | None, dialect: Dialect, part: str
) -> Iterator[Row]:
    """Yield the rows below the header of one sheet; `Row.line` is the row number it shows.

    Args:
        file: At its beginning; it is sought in.
        source: What messages call it.
        columns: Columns that the header must have; None: whatever it has.
        dialect: Names the columns of a sheet without a header.
        part: Name of the sheet; empty: the only one that is not empty.

    Raises:
        DataError: A damaged file or one that unpacks to more than a gigabyte, an unknown sheet or
            several, a missing or repeated column, or an empty row between others.
        MissingExtraError: openpyxl is not installed.
    """
    _check_size(file, source)
    book = _opened(file, source)
    rows = _rows_of(book, _sheet_name(book, source, part), source)
    filled = without_last_blanks(rows, _is_empty, source)
    names: Sequence[str] | None = dialect.columns
    first_line_of_data = 1
    if names is None:
        first_line_of_data, header = next(filled, (1, ()))
        names = [str(_value(cell)).strip() for cell in header]
    require_columns(columns or (), [name for name in names if name], source, first_line_of_data)
    repeated = [name for name in columns or () if names.count(name) > 1]
    if repeated:
        raise DataError(f"two columns are named {repeated[0]!r}; rename one", source, 1)
    for line, cells in filled:
        padded = (*cells, *[None] * (len(names) - len(cells)))
        values = zip(names, map(_value, padded), strict=False)
        yield typed_row(line, {name: value for name, value in values if name})


def _check_size(file: BinaryIO, source: str) -> None:
    # The standard library unpacks no more of a member than its directory states.
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked_bytes = sum(info.file_size for info in archive.infolist())
    except DAMAGE as error:
        raise DataError(_damaged(error), source) from error
    if unpacked_bytes > MAX_UNPACKED_BYTES:
        message = f"unpacks to {unpacked_bytes:,} bytes; at most {MAX_UNPACKED_BYTES:,} are allowed"
        raise DataError(f"{message}; save it as .csv", source)


def _opened(file: BinaryIO, source: str) -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("reading .xlsx files", "formats") from error
    with warnings.catch_warnings():
        # Of styles and extensions, which are not read.
        warnings.simplefilter("ignore")
        try:
            return openpyxl.load_workbook(file, read_only=True, data_only=True)
        except DAMAGE as error:
            raise DataError(_damaged(error), source) from error


def _sheet_name(book: Any, source: str, part: str) -> str:
    names: list[str] = [sheet.title for sheet in book.worksheets]
    if part:
        if part not in names:
            raise DataError(f"no sheet {part!r}; its sheets are {listed(names)}", source)
        return part
    filled = [name for name in names if any(True for _ in _filled_rows(book, name, source))]
    if len(filled) > 1:
        message = f"has several sheets: {listed(filled)}; name one as {source}#{filled[0]}"
        raise DataError(message, source)
    if not filled:
        raise DataError("no rows; give a file with at least one", source)
    return filled[0]


def _filled_rows(book: Any, name: str, source: str) -> Iterator[Cells]:
    return (cells for _, cells in _rows_of(book, name, source) if not _is_empty(cells))


def _rows_of(book: Any, name: str, source: str) -> Iterator[tuple[int, Cells]]:
    sheet = book[name]
    # Other programs write wrong dimensions, and the library would believe them.
    sheet.reset_dimensions()
    try:
        yield from enumerate(sheet.iter_rows(values_only=True), start=1)
    except DAMAGE as error:
        raise DataError(_damaged(error), source) from error


def _damaged(error: Exception) -> str:
    return f"not a sound .xlsx file: {first_line(error)}; save it again"


def _is_empty(cells: Cells) -> bool:
    return all(cell is None or cell == "" for cell in cells)


def _value(cell: object) -> object:
    """Return a cell as text, but for a boolean, which labels read alike in all formats."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
