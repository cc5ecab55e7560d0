"""A pickle as rows: what it says is read, what it would run is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ranklet.data.hints import first_line
from ranklet.data.reading.pickles.machine import IN_PANDAS, Instance, RefusedPickleError, parse
from ranklet.data.reading.row import Row, typed_row
from ranklet.errors import DataError

ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
OTHER_STARTS: dict[bytes | tuple[bytes, ...], str] = {
    b"version https://git-lfs": "is a Git-LFS pointer, not the file; fetch that by: git lfs pull",
    b"PAR1": "is a Parquet file; name it .parquet",
    b"PK": "is a zip archive, as torch.save and numpy.savez write; write the table as CSV",
    b"\x1f\x8b": "is compressed with gzip; name it .pkl.gz",
    b"BZh": "is compressed with bzip2; name it .pkl.bz2",
    b"\xfd7zXZ": "is compressed with xz; name it .pkl.xz",
    b"\x28\xb5\x2f\xfd": "is compressed with zstandard; name it .pkl.zst",
    ZLIB: "is compressed with zlib, as joblib does; write the table as CSV",
    b"\x93NUMPY": "is a NumPy array (.npy); write the table as CSV",
    b"ARROW1": "is an Arrow file; name it .arrow",
    b"\x89HDF": "is an HDF5 file; write the table as CSV",
}
PROTOCOL, END = b"\x80", b"."
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def read_pickle(file: BinaryIO, source: str) -> Iterator[Row]:
    """Yield the rows of a pickled table; `Row.line` is the row number, counted from 1.

    A DataFrame, a Series (column: its name, else `text`), a `datasets.Dataset` with its data
    inside, a list or tuple of dicts, of texts or of (text, label), a dict of columns, (texts,
    labels), or a NumPy array.

    Raises:
        DataError: Another format, a damaged file, a name or value that no table needs.
    """
    from ranklet.data.reading.pickles.tables import records  # needs NumPy

    content = file.read()
    with _refusals(source):
        rows = records(_parsed(content, source), len(content))
        for line, (values, refused) in enumerate(rows, start=1):
            row = typed_row(line, values)
            yield Row(line, row.cells, {**row.kinds, **refused}, row.lists) if refused else row


def class_names(file: BinaryIO, source: str, column: str) -> tuple[str, ...] | None:
    """Return the class names that a pickled `datasets.Dataset` gives a column of integers, if any.

    Those of a column of lists are the names of its items.

    Raises:
        DataError: As `read_pickle`.
    """
    from ranklet.data.reading.pickles.hugging_face import class_names_in  # needs NumPy

    with _refusals(source):
        table = _parsed(file.read(), source)
        if isinstance(table, Instance) and table.kind == "Dataset":
            return class_names_in(table, column)
    return None


def _parsed(content: bytes, source: str) -> Any:
    if not content:
        raise DataError("is empty; write or fetch it again", source)
    for mark, message in OTHER_STARTS.items():
        if content.startswith(mark):
            raise DataError(f"the file {message}", source)
    if content[:100].lstrip().startswith(b"<"):
        message = "the file is an HTML page, as of a page that asks for a login; fetch it again"
        raise DataError(message, source)
    if not content.startswith(PROTOCOL) and not content.endswith(END):
        raise DataError("the file neither begins nor ends as a pickle; rename it", source)
    try:
        return parse(content)
    except RefusedPickleError:
        raise
    except ValueError as error:
        is_whole = content.endswith(END)
        defect = (
            f"damaged: {first_line(error)[:100]}" if is_whole else "cut off: it has no end mark"
        )
        raise DataError(f"the pickle is {defect}; write or fetch it again", source) from error


@contextmanager
def _refusals(source: str) -> Iterator[None]:
    """Say in one line why a pickle is not read."""
    try:
        yield
    except RefusedPickleError as error:
        raise DataError(str(error), source) from error
    except MALFORMED as error:
        if isinstance(error, DataError):
            raise
        message = f"the pickle is not laid out as one of pandas, NumPy or datasets; {IN_PANDAS}"
        raise DataError(message, source) from error
