"""Any supported file as a stream of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from ranklet.data.reading.arrow import read_arrow
from ranklet.data.reading.compressed import BUFFER_BYTES, unpacked
from ranklet.data.reading.delimited import read_delimited
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.data.reading.formats import Format, format_of
from ranklet.data.reading.json_document import read_json, read_json_by_line
from ranklet.data.reading.label_tools import without_rejected
from ranklet.data.reading.lines import open_binary
from ranklet.data.reading.memory import TEXT
from ranklet.data.reading.parquet import read_parquet
from ranklet.data.reading.pickles.read import read_pickle
from ranklet.data.reading.plain_text import read_fasttext, read_text_lines
from ranklet.data.reading.row import Row
from ranklet.data.reading.spreadsheet import read_spreadsheet
from ranklet.errors import DataError


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a file.

    Attributes:
        columns: Columns that will be used: formats that name their columns first check them there,
            and typed formats read no others; None: all.
        dialect: How a delimited file is written.
        part: Which of several tables in it: a file of an archive, a sheet, a split; empty: the only
            one, or that of `split`.
        split: Split to take where a file holds several.
        note: Receives what a person should know, such as how many rows were left out.
    """

    columns: Sequence[str] | None = None
    dialect: Dialect = AS_WRITTEN
    part: str = ""
    split: str | None = None
    note: Callable[[str], None] = lambda text: None


ALL = Wanted()
SOUGHT_IN = ("parquet", "arrow", "xlsx")
"""Formats whose readers jump to and fro; within a compressed file they are unpacked at once."""


def read_rows(path: Path, wanted: Wanted = ALL, content: bytes | None = None) -> Iterator[Row]:
    """Yield the rows of a file, in its order; in constant memory but for `.json` documents.

    Args:
        path: A file of any supported format, compressed or not.
        wanted: What of it.
        content: Its bytes, where they were read already; None: they are streamed.

    Raises:
        DataError: An unknown format, a file that cannot be read, or one without rows; see the
            readers.
        MissingExtraError: A format whose extra is not installed.
    """
    empty = True
    with opened(path, content, wanted.part) as (file, kind, part):
        if kind == "lines" and _has_columns(file, wanted):
            kind = "delimited"
        for row in READERS[kind](file, str(path), replace(wanted, part=part)):
            empty = False
            yield row
    if empty:
        raise DataError("no rows; give a file with at least one", str(path))


@contextmanager
def opened(
    path: Path, content: bytes | None = None, part: str = ""
) -> Iterator[tuple[BinaryIO, Format, str]]:
    """Open a file, unpacked; gives its format and which table in it is wanted.

    Raises:
        DataError: A file that cannot be read, or of an unknown format.
    """
    source = str(path)
    with open_binary(path) if content is None else BytesIO(content) as raw:
        packed = BufferedReader(cast(Any, raw), BUFFER_BYTES)
        stream, name, rest = unpacked(packed, path.name, source, part)
        kind = format_of(name, stream.peek(BUFFER_BYTES), source)
        if kind in SOUGHT_IN and stream is not packed:
            stream = BufferedReader(cast(Any, BytesIO(stream.read())))
        yield stream, kind, rest


def _has_columns(file: Any, wanted: Wanted) -> bool:
    """Tell whether the lines of a plain text file hold more than one text each."""
    if wanted.dialect.columns or wanted.dialect.separator:
        return True
    return bool(_further(wanted)) and _has_tab(file)


def _further(wanted: Wanted) -> list[str]:
    return [name for name in wanted.columns or () if name != TEXT]


def _delimited(separator: str) -> Callable[[BinaryIO, str, Wanted], Iterator[Row]]:
    def read(file: BinaryIO, source: str, wanted: Wanted) -> Iterator[Row]:
        return read_delimited(file, source, wanted.dialect, wanted.columns, separator)

    return read


def _table_in_text(file: BinaryIO, source: str, wanted: Wanted) -> Iterator[Row]:
    separator = wanted.dialect.separator or ("\t" if _has_tab(file) else None)
    return read_delimited(
        file, source, replace(wanted.dialect, separator=separator), wanted.columns
    )


def _has_tab(file: Any) -> bool:
    return b"\t" in file.peek(BUFFER_BYTES).partition(b"\n")[0]


def _lines(file: BinaryIO, source: str, wanted: Wanted) -> Iterator[Row]:
    further = _further(wanted)
    for row in read_text_lines(file, source, wanted.dialect.encoding):
        if further:
            message = (
                f"no column {further[0]!r}; the columns are {TEXT!r}, one text a line; if lines "
                "hold more, set data.separator and data.columns"
            )
            raise DataError(message, source, row.line)
        yield row


def _json(reader: Callable[..., Iterator[Row]]) -> Callable[[BinaryIO, str, Wanted], Iterator[Row]]:
    def read(file: BinaryIO, source: str, wanted: Wanted) -> Iterator[Row]:
        rows = reader(file, source, wanted.columns, wanted.dialect, wanted.part, wanted.split)
        return without_rejected(rows, wanted.columns, wanted.note)

    return read


READERS: dict[Format, Callable[[BinaryIO, str, Wanted], Iterator[Row]]] = {
    "csv": _delimited(","),
    "tsv": _delimited("\t"),
    "delimited": _table_in_text,
    "lines": _lines,
    "fasttext": lambda file, source, wanted: read_fasttext(file, source, wanted.dialect.encoding),
    "json": _json(read_json),
    "jsonl": _json(read_json_by_line),
    "parquet": lambda file, source, wanted: read_parquet(file, source, wanted.columns),
    "arrow": lambda file, source, wanted: read_arrow(file, source, wanted.columns),
    "pickle": lambda file, source, wanted: read_pickle(file, source),
    "xlsx": lambda file, source, wanted: read_spreadsheet(
        file, source, wanted.columns, wanted.dialect, wanted.part
    ),
}
