"""Arrow's own files (`.arrow`, `.feather` of version 2) and streams (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from ranklet.data.hints import first_line
from ranklet.data.reading.parquet import names_in_schema, rows_of_batches, split_columns
from ranklet.data.reading.row import Row
from ranklet.errors import DataError, MissingExtraError

FILE_MARK = b"ARROW1"


def read_arrow(file: BinaryIO, source: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the rows of an Arrow file or stream; `Row.line` is the row number, counted from 1.

    Args:
        file: At its beginning; an Arrow file is sought in, a stream is not.
        source: What messages call it.
        columns: Columns that will be used; None: all that can be read.

    Raises:
        DataError: A damaged file, a missing column, or two columns of one name.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(file, source) as (schema, batches):
        readable, refused = split_columns(schema, columns, source)
        yield from rows_of_batches(map(_validated, batches), readable, refused)


def _validated(batch: Any) -> Any:
    """Return a batch whose offsets lead nowhere outside of it: reading others may crash."""
    batch.validate(full=True)
    return batch


def class_names_of_arrow(file: BinaryIO, source: str, column: str) -> tuple[str, ...] | None:
    """Return the class names that `datasets` wrote into the schema for a column, if any.

    Raises:
        DataError: A damaged file.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(file, source) as (schema, _):
        return names_in_schema(schema, column)


@contextmanager
def _opened(file: Any, source: str) -> Iterator[tuple[Any, Iterator[Any]]]:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("reading .arrow files", "parquet") from error
    try:
        if file.peek(len(FILE_MARK)).startswith(FILE_MARK):
            reader = pyarrow.ipc.open_file(file)
            yield reader.schema, map(reader.get_batch, range(reader.num_record_batches))
        else:
            stream = pyarrow.ipc.open_stream(file)
            yield stream.schema, iter(stream)
    except (pyarrow.ArrowException, OSError) as error:
        message = f"not a sound arrow file: {first_line(error)}; write or fetch it again"
        raise DataError(message, source) from error
    except UnicodeDecodeError as error:
        raise DataError("a text in it is not UTF-8; write it again", source) from error
