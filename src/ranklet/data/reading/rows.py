"""Any supported file as a stream of rows, chosen by the suffix of its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ranklet.data.reading.delimited import read_delimited
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.data.reading.json_lines import read_json_lines
from ranklet.data.reading.lines import open_binary, read_lines
from ranklet.data.reading.memory import TEXT
from ranklet.data.reading.parquet import read_parquet
from ranklet.data.reading.pickles.read import read_pickle
from ranklet.data.reading.row import MAX_CELL_CHARACTERS, Row
from ranklet.errors import DataError
from ranklet.vocabulary import LABELLED_SUFFIXES

SUFFIXES = (*LABELLED_SUFFIXES, ".txt")
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(
    path: Path,
    columns: Sequence[str] | None = None,
    content: bytes | None = None,
    dialect: Dialect = AS_WRITTEN,
) -> Iterator[Row]:
    """Yield the rows of a file, in its order and in constant memory.

    Args:
        path: `.csv`, `.tsv`, `.jsonl`, `.parquet`, `.pkl`, `.pickle`, or `.txt` (one text per line,
            column `text`).
        columns: Columns that will be used: formats that name their columns first check them there,
            and parquet reads no others.
        content: Its bytes, where they were read already; None: they are streamed.
        dialect: How a delimited file is written.

    Raises:
        DataError: Another suffix, a file that cannot be read, or one without rows; see the readers.
        MissingExtraError: A parquet file without pyarrow.
    """
    empty = True
    with open_binary(path) if content is None else BytesIO(content) as file:
        for row in _reader(file, path, columns, dialect):
            empty = False
            yield row
    if empty:
        raise DataError("no rows; give a file with at least one", str(path))


def _reader(
    file: BinaryIO, path: Path, columns: Sequence[str] | None, dialect: Dialect
) -> Iterator[Row]:
    suffix, source = path.suffix.lower(), str(path)
    if suffix in DELIMITERS:
        return read_delimited(file, source, dialect, columns, DELIMITERS[suffix])
    if suffix == ".jsonl":
        return read_json_lines(file, source, dialect.encoding)
    if suffix == ".parquet":
        return read_parquet(file, source, columns)
    if suffix in (".pkl", ".pickle"):
        return read_pickle(file, source)
    if suffix == ".txt":
        return _read_text_lines(file, source, dialect.encoding)
    raise DataError(f"unknown suffix {suffix!r}; allowed are {', '.join(SUFFIXES)}", source)


def _read_text_lines(file: BinaryIO, source: str, encoding: str | None) -> Iterator[Row]:
    """Yield one row per line, in the column `text`; blank lines at the end are left out."""
    blanks: list[int] = []
    for line, raw in read_lines(file, source, encoding):
        text = raw.removesuffix("\n").removesuffix("\r")
        if not text:
            blanks.append(line)
            continue
        _check_line(text, source, line)
        yield from (Row(blank, {TEXT: ""}) for blank in blanks)
        blanks.clear()
        yield Row(line, {TEXT: text})


def _check_line(text: str, source: str, line: int) -> None:
    if "\r" in text:
        message = "carriage return (CR) that ends no line; save the file with LF or CRLF line ends"
        raise DataError(message, source, line)
    if len(text) > MAX_CELL_CHARACTERS:
        message = f"text of {len(text):,} characters; at most {MAX_CELL_CHARACTERS:,} are allowed"
        raise DataError(message, source, line)
