"""What a pickle holds as a table: columns with names, or rows that name their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ranklet.data.hints import listed
from ranklet.data.reading.memory import LABEL, TEXT
from ranklet.data.reading.pickles.arrays import (
    Allowance,
    as_text,
    cells,
    is_array,
    plain,
    to_array,
    weight,
)
from ranklet.data.reading.pickles.frames import Column, frame_columns, series_column
from ranklet.data.reading.pickles.hugging_face import dataset_columns
from ranklet.data.reading.pickles.machine import Instance, RefusedPickleError

TABLES = ("DataFrame", "Dataset")
DICTS = ("OrderedDict", "defaultdict")


def records(value: Any, length: int) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield the readable cells of each row, and what the unreadable ones are.

    Args:
        value: What the pickle holds.
        length: Its length in bytes, which bounds how many cells it may stand for.

    Raises:
        RefusedPickleError: It is no table, or none that is understood.
    """
    value, allowance = _dict_of(value), Allowance(length)
    if isinstance(value, Instance | dict) or _are_two_columns(value):
        return _rows_of_columns(_columns(value, allowance), allowance)
    if isinstance(value, list | tuple):
        return _rows_of_items(value, allowance)
    raise RefusedPickleError(f"holds a {type(value).__name__}, no table")


def _columns(value: Any, allowance: Allowance) -> list[tuple[Any, Column]]:
    if isinstance(value, dict):
        if any(isinstance(part, Instance) and part.kind in TABLES for part in value.values()):
            raise RefusedPickleError(
                f"holds several tables: {listed(list(map(str, value)))}", "write one of them"
            )
        return [(name, _column(part, allowance)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [
            (name, _column(part, allowance))
            for name, part in zip((TEXT, LABEL), value, strict=True)
        ]
    if value.kind == "DataFrame":
        return frame_columns(value, allowance)
    if value.kind == "Dataset":
        return dataset_columns(value, allowance)
    if value.kind == "DatasetDict":
        splits = listed(list(map(str, value.entries)))
        write = 'write one of them: ds["train"].to_parquet("train.parquet")'
        raise RefusedPickleError(f"holds a DatasetDict with the splits {splits}", write)
    if value.kind == "Series":
        name, column = series_column(value, allowance)
        return [(TEXT if name is None else name, column)]
    if is_array(value):
        return _array_columns(value, allowance)
    raise RefusedPickleError(f"holds a {value.kind}, no table")


def _array_columns(value: Instance, allowance: Allowance) -> list[tuple[Any, Column]]:
    array = to_array(value, allowance)
    if array.ndim == 1:
        return [(TEXT, cells(array, allowance))]
    if array.shape[1] != 2:
        raise RefusedPickleError(
            f"holds an array of {array.shape[1]} columns without names; two are text and label"
        )
    return [(name, cells(array[:, at], allowance)) for at, name in enumerate((TEXT, LABEL))]


def _column(value: Any, allowance: Allowance) -> Column:
    """Return one column of a dict: a list, an array or a Series."""
    if _is_series(value):
        return series_column(value, allowance)[1]
    if not is_array(value) and not isinstance(value, list | tuple):
        raise RefusedPickleError("holds a dict of what are no columns")
    column: list[Any] = plain(value, allowance)
    return column


def _are_two_columns(value: Any) -> bool:
    """Tell whether a value is (texts, labels), not two rows."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    return all(isinstance(part, list) or is_array(part) or _is_series(part) for part in value)


def _is_series(value: Any) -> bool:
    return isinstance(value, Instance) and value.kind == "Series"


def _dict_of(value: Any) -> Any:
    return value.entries if isinstance(value, Instance) and value.kind in DICTS else value


def _rows_of_columns(
    columns: Sequence[tuple[Any, Column]], allowance: Allowance
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    named = [(_name(name), column) for name, column in columns]
    refused = {name: column for name, column in named if isinstance(column, str)}
    counts = Counter(name for name, _ in named)
    refused |= {name: "one of several columns of that name" for name in counts if counts[name] > 1}
    readable = {
        name: column for name, column in named if isinstance(column, list) and name not in refused
    }
    lengths = {len(column) for column in readable.values()}
    if len(lengths) > 1:
        raise RefusedPickleError("has columns of different lengths")
    if not readable:
        raise RefusedPickleError("has no column that can be read")
    for row in zip(*readable.values(), strict=True):
        allowance.take(weight(row))
        yield dict(zip(readable, row, strict=True)), refused


def _name(name: object) -> str:
    return str(name) if isinstance(name, int | float | None) else as_text(name)


def _rows_of_items(
    items: Sequence[Any], allowance: Allowance
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    for line, item in enumerate(items, start=1):
        yield _record(_dict_of(item), line, allowance), {}


def _record(item: Any, line: int, allowance: Allowance) -> dict[str, Any]:
    if isinstance(item, Mapping):
        allowance.take(weight(item.values()))
        return {_name(name): plain(value, allowance) for name, value in item.items()}
    value = plain(item, allowance)
    if isinstance(value, str | int | None):
        allowance.take(weight((value,)))
        return {TEXT: value}
    if isinstance(value, list) and len(value) == 2:
        return dict(zip((TEXT, LABEL), value, strict=True))
    raise RefusedPickleError(
        f"holds a list whose item {line} is neither a dict, a text, nor a pair (text, label)"
    )
