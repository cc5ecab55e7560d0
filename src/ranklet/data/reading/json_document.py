"""JSON as people write it: an object a line, an array of objects, or one object of columns.

An object a line is streamed; everything else is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

from ranklet.data.hints import first_line, listed
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.json_lines import read_json_lines
from ranklet.data.reading.label_tools import is_labelling_task, labelled_values
from ranklet.data.reading.memory import LABEL, TEXT
from ranklet.data.reading.row import Row, typed_row
from ranklet.data.reading.split_names import pick_split, split_of
from ranklet.errors import DataError
from ranklet.vocabulary import Split

MAX_DOCUMENT_BYTES = 1_000_000_000
SPLIT_ORIENT = {"columns", "index", "data"}
UNCLEAR = "write one object per line, or an array of objects"


def read_json(
    file: Any,
    source: str,
    columns: Sequence[str] | None,
    dialect: Dialect,
    part: str,
    split: str | None,
) -> Iterator[Row]:
    """Yield the rows of a JSON file; `Row.line` of a document is the number of the row.

    Read are one object a line; an array of objects, of texts, or of lists whose columns
    `dialect` gives (pairs are a text and a label); an object of columns, as lists or as
    pandas writes its orients `columns`, `index`, `split` and `table`; an object with one list of
    records, or one for each split; and the tasks of Label Studio.

    Args:
        file: Can be peeked into.
        source: What messages call it.
        columns: Columns that will be used, which tell pandas' orients apart; None: all.
        dialect: The encoding, and the columns of rows that name none.
        part: Which of several tables in it; empty: the only one, or that of `split`.
        split: Split to take where there is a table for each.

    Raises:
        DataError: Damaged JSON, or an object whose rows cannot be told for certain.
    """
    if is_line_by_line(file):
        yield from read_json_lines(file, source, dialect.encoding)
        return
    document = _document(file, source, dialect.encoding)
    if isinstance(document, bytes):
        yield from read_json_lines(BytesIO(document), source, dialect.encoding)
        return
    table = _table(document, columns, source, part, split)
    for row, record in enumerate(_records(table, columns, dialect.columns, source), start=1):
        if isinstance(record, Mapping):
            yield typed_row(row, {str(name): value for name, value in record.items()})
        else:
            raise DataError(f"found no object where the others are such; {UNCLEAR}", source, row)


def read_json_by_line(
    file: Any,
    source: str,
    columns: Sequence[str] | None,
    dialect: Dialect,
    part: str,
    split: str | None,
) -> Iterator[Row]:
    """Yield the rows of a file that should hold one object a line, or those of an array.

    See `read_json`.
    """
    if _start(file).startswith(b"["):
        return read_json(file, source, columns, dialect, part, split)
    return read_json_lines(file, source, dialect.encoding)


def splits_of_json(file: Any, source: str) -> dict[Split, str]:
    """Return the names of the tables in a JSON file that are named after splits.

    Raises:
        DataError: Damaged JSON.
    """
    if is_line_by_line(file):
        return {}
    document = _document(file, source)
    tables = document if isinstance(document, dict) else {}
    splits = {split_of(name): name for name, value in tables.items() if _is_table(value)}
    return {split: name for split, name in splits.items() if split is not None}


def is_line_by_line(file: Any) -> bool:
    """Tell whether the first line is a whole object and there are more lines, or no JSON at all."""
    start = _start(file)
    if not start.startswith((b"{", b"[", b"\xff\xfe", b"\xfe\xff")):
        return True
    first, _, rest = start.partition(b"\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False  # spread over lines, broken, or a first line longer than the look at it
    return isinstance(value, dict) and (bool(rest.strip()) or _is_flat(value))


def _start(file: Any) -> bytes:
    """Return the first bytes that are not yet read, without a mark and blanks before them."""
    start: bytes = file.peek(1 << 16)
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()


def _is_flat(value: Any) -> bool:
    return not any(isinstance(item, list | dict) for item in value.values())


def _document(file: BinaryIO, source: str, encoding: str | None = None) -> Any:
    """Return the one value in a file; where there are several, the bytes of all."""
    content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        message = f"one JSON document of more than {MAX_DOCUMENT_BYTES:,} bytes; write it as .jsonl"
        raise DataError(message, source)
    try:
        return json.loads(_text_of(content, encoding))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return content
        message = f"not valid JSON at character {error.colno}: {error.msg}; write the file again"
        raise DataError(message, source, error.lineno) from error
    except RecursionError as error:
        raise DataError(f"JSON nested too deeply; {UNCLEAR}", source) from error
    except ValueError as error:
        raise DataError(first_line(error), source) from error


def _text_of(content: bytes, encoding: str | None) -> bytes | str:
    """Return a document as `json.loads` takes it, which knows UTF-8, -16 and -32 itself."""
    return content.decode(encoding) if encoding else content.removeprefix(b"\xef\xbb\xbf")


def _table(
    document: Any, columns: Sequence[str] | None, source: str, part: str, split: str | None
) -> Any:
    """Return the one table in a document that is wanted."""
    if not isinstance(document, Mapping):
        if part:
            raise DataError(f"is one table, without a part {part!r}", source)
        return document
    tables = {name: value for name, value in document.items() if _is_table(value)}
    by_split = [name for name in tables if split_of(name) is not None]
    if part or by_split:
        return tables[pick_split(list(tables), part, split, source)]
    if set(document) <= SPLIT_ORIENT and {"columns", "data"} <= set(document):
        return _of_split_orient(document["columns"], document["data"], source)
    return _records_in(document, tables, columns, source)


def _of_split_orient(names: Any, rows: Any, source: str) -> list[dict[str, Any]]:
    if not isinstance(names, list) or not isinstance(rows, list):
        raise DataError(f"its columns and data are no lists; {UNCLEAR}", source)
    for row, values in enumerate(rows, start=1):
        if not isinstance(values, list) or len(values) != len(names):
            raise DataError(f"not {len(names)} values, one for each of its columns", source, row)
    return [dict(zip(map(str, names), values, strict=True)) for values in rows]


def _is_table(value: Any) -> bool:
    """Tell whether a value is a table of its own: records, pairs, or an object of columns."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict | list) for item in value)
    return isinstance(value, dict) and any(isinstance(item, list) for item in value.values())


def _records_in(
    document: Mapping[str, Any],
    tables: Mapping[str, Any],
    columns: Sequence[str] | None,
    source: str,
) -> Any:
    values = list(document.values())
    if values and all(isinstance(value, dict) for value in values):
        return _from_objects(document, columns, source)
    if _are_equal_lists(values):
        names = list(document)
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    records = [name for name, value in tables.items() if isinstance(value, list)]
    if len(records) == 1:
        return tables[records[0]]
    if records:
        message = f"holds several lists: {listed(records)}; name one as {source}#{records[0]}"
        raise DataError(message, source)
    if not _is_flat(document):
        raise DataError(f"its rows cannot be told for certain; {UNCLEAR}", source)
    return [document]


def _are_equal_lists(values: Sequence[Any]) -> bool:
    """Tell whether values are the columns of one table, and no records themselves."""
    return (
        bool(values)
        and all(isinstance(value, list) for value in values)
        and len({len(value) for value in values}) == 1
        and not any(isinstance(item, dict) for value in values for item in value)
    )


def _from_objects(
    document: Mapping[str, dict[str, Any]], columns: Sequence[str] | None, source: str
) -> list[dict[str, Any]]:
    """Return the rows of pandas' orients `columns` and `index`, which look alike."""
    outer = set(document)
    inner = set(chain.from_iterable(document.values()))
    if _are_columns(outer, inner, columns):
        rows = dict.fromkeys(chain.from_iterable(document.values()))
        return [
            {name: column[row] for name, column in document.items() if row in column}
            for row in rows
        ]
    if _are_columns(inner, outer, columns):
        return list(document.values())
    message = f"are its outer names the columns, or its inner ones? {UNCLEAR}"
    raise DataError(message, source)


def _are_columns(names: set[str], others: set[str], columns: Sequence[str] | None) -> bool:
    if columns:
        return set(columns) <= names
    return all(name.isdigit() for name in others) and not all(name.isdigit() for name in names)


def _records(
    table: Any, columns: Sequence[str] | None, names: Sequence[str] | None, source: str
) -> Iterable[Any]:
    """Return the rows of a table as objects."""
    if isinstance(table, Mapping):
        return list(_records_in(table, {}, columns, source))
    if not isinstance(table, list):
        raise DataError(f"found {type(table).__name__}; {UNCLEAR}", source)
    if table and all(isinstance(item, str) for item in table):
        return [{TEXT: item} for item in table]
    if table and all(isinstance(item, list) for item in table):
        return _named(table, names, source)
    if table and all(is_labelling_task(item) for item in table):
        return [labelled_values(item) for item in table]
    return table


def _named(
    rows: list[list[Any]], names: Sequence[str] | None, source: str
) -> Iterator[dict[str, Any]]:
    """Yield lists as objects: by `data.columns`, or pairs of a text and a label."""
    width = len(rows[0])
    if names is None:
        texts, labels = (len({str(row[at : at + 1]) for row in rows}) for at in (0, 1))
        if width != 2 or texts < labels:
            message = "lists without column names; name them in order, such as "
            raise DataError(f"{message}data.columns=[{LABEL}, {TEXT}]", source)
        names = (TEXT, LABEL)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            message = f"{len(row)} values where {len(names)} columns are named"
            raise DataError(message, source, number)
        yield dict(zip(names, row, strict=True))
