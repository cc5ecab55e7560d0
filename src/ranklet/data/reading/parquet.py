"""Parquet files, in record batches (extra `parquet`).

Columns of text, numbers, booleans and lists of them are read; class names come from the metadata
that the `datasets` library writes into the schema.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from ranklet.data.hints import first_line
from ranklet.data.reading.row import Row, require_columns, typed_row
from ranklet.errors import DataError, MissingExtraError

BATCH_ROWS = 1024


def read_parquet(
    file: BinaryIO, source: str, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield the rows of a parquet file; `Row.line` is the row number, counted from 1.

    Without `columns`, every column is read that can be.

    Raises:
        DataError: A damaged file, or a column that is missing or not the only one of its name.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(file, source) as table:
        readable, refused = split_columns(table.schema_arrow, columns, source)
        batches = table.iter_batches(batch_size=BATCH_ROWS, columns=readable)
        yield from rows_of_batches(batches, readable, refused)


def rows_of_batches(
    batches: Iterable[Any], readable: Sequence[str], refused: Mapping[str, str]
) -> Iterator[Row]:
    """Yield the rows of Arrow's record batches.

    Args:
        batches: Have the columns `readable`.
        readable: Columns to read.
        refused: What the other columns are.
    """
    line = 0
    for batch in batches:
        values = {name: batch.column(name).to_pylist() for name in readable}
        for row in range(batch.num_rows):
            line += 1
            typed = typed_row(line, {name: values[name][row] for name in readable})
            yield Row(line, typed.cells, {**typed.kinds, **refused}, typed.lists)


def class_names(file: BinaryIO, source: str, column: str) -> tuple[str, ...] | None:
    """Return the class names that a parquet file's schema gives a column of integers, if any.

    Those of a column of lists are the names of its items.

    Raises:
        DataError: A damaged file.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(file, source) as table:
        return names_in_schema(table.schema_arrow, column)


def names_in_schema(schema: Any, column: str) -> tuple[str, ...] | None:
    """Return the class names that `datasets` wrote into a schema for a column, if any."""
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = metadata["info"]["features"][column]
        if isinstance(feature, list):  # how `datasets` wrote lists once
            feature = feature[0]
        feature = feature.get("feature", feature)  # and since
        names = feature["names"] if feature["_type"] == "ClassLabel" else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return tuple(str(name) for name in names) if isinstance(names, list) else None


@contextmanager
def _opened(file: BinaryIO, source: str) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading .parquet files", "parquet") from error
    try:
        yield pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        message = f"not a sound parquet file: {first_line(error)}; write or fetch it again"
        raise DataError(message, source) from error
    except UnicodeDecodeError as error:
        raise DataError("a text in it is not UTF-8; write it again", source) from error


def split_columns(
    schema: Any, wanted: Sequence[str] | None, source: str
) -> tuple[list[str], dict[str, str]]:
    """Return the columns to read, and what the others are.

    Raises:
        DataError: A wanted column is missing, or is not the only one of its name.
    """
    require_columns(wanted or (), schema.names, source, line=None)
    counts = Counter(schema.names)
    repeated = next((name for name in wanted or () if counts[name] > 1), None)
    if repeated is not None:
        raise DataError(f"{counts[repeated]} columns are called {repeated!r}; rename one", source)
    kinds = {field.name: field.type for field in schema}
    readable = [name for name, kind in kinds.items() if _is_readable(kind) and counts[name] == 1]
    refused = {name: f"a {kinds[name]}" for name in kinds if name not in readable}
    return [name for name in readable if wanted is None or name in wanted], refused


def _is_readable(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
    )
