"""DataFrames and Series of pandas 1.1 to 3.1 in a pickle, as columns, without pandas.

A frame is a manager of blocks: arrays of equal columns, each with the places of its columns in the
frame. What pandas calls an index is an array with a name; the index of the rows is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ranklet.data.reading.pickles.arrays import ARRAYS, Allowance, cells, is_array, to_array
from ranklet.data.reading.pickles.arrow import UnreadableColumnError, arrow_cells
from ranklet.data.reading.pickles.machine import Instance, RefusedPickleError

Column = list[Any] | str
"""The cells of a column; or what it is, where it cannot be read."""

# Thin wrappers of an array: text, times. `__pyx_...` names the class in its first argument.
BACKED = ("StringArray", "StringArrayNumpySemantics", "DatetimeArray", "TimedeltaArray")
MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")
ARROW = ("ArrowStringArray", "ArrowStringArrayNumpySemantics", "ArrowExtensionArray")


def frame_columns(frame: Instance, allowance: Allowance) -> list[tuple[Any, Column]]:
    """Return the names and the columns of a DataFrame.

    Raises:
        RefusedPickleError: Names in several levels, or blocks that contradict one another.
    """
    axes, blocks = _axes_and_blocks(_manager(frame))
    names = index_values(axes[0], allowance)
    columns: list[Column | None] = [None] * len(names)
    for values, places in blocks:
        positions = _positions(places, len(names), allowance)
        for position, column in zip(positions, block_columns(values, allowance), strict=True):
            columns[position] = column
    complete = [column for column in columns if column is not None]
    return list(zip(names, complete, strict=True))


def series_column(series: Instance, allowance: Allowance) -> tuple[Any, Column]:
    """Return the name and the column of a Series; the name may be None."""
    _, blocks = _axes_and_blocks(_manager(series))
    ((values, _),) = blocks
    (column,) = block_columns(values, allowance)
    name = series.state.get("_name", series.state.get("name"))
    return name, column


def index_values(index: Instance, allowance: Allowance) -> list[Any]:
    """Return the values of an index.

    Raises:
        RefusedPickleError: It has several levels.
        UnreadableColumnError: It holds periods or intervals.
    """
    cls, parts = index.arguments
    if cls.kind == "MultiIndex":
        flatten = 'flatten them: df.columns = ["_".join(map(str, name)) for name in df.columns]'
        raise RefusedPickleError("has column names in several levels", flatten)
    if cls.kind == "RangeIndex":
        numbers = range(parts["start"], parts["stop"], parts["step"])
        allowance.take(len(numbers))
        return list(numbers)
    if "data" not in parts:
        raise UnreadableColumnError(f"a pandas {cls.kind}")
    (values,) = _arrays(parts["data"], allowance)
    return values


def block_columns(values: Instance, allowance: Allowance) -> Sequence[Column]:
    """Return the columns of an array: one, or one for each row of an array of two dimensions."""
    try:
        return _arrays(values, allowance)
    except UnreadableColumnError as error:
        return [str(error)]


def _arrays(values: Instance, allowance: Allowance) -> list[list[Any]]:
    kind = values.arguments[0].kind if values.kind.startswith("__pyx") else values.kind
    if is_array(values) or kind in BACKED:
        array = to_array(values if is_array(values) else _part(values.state, ARRAYS), allowance)
        return [cells(row, allowance) for row in (array if array.ndim > 1 else [array])]
    if kind == "Categorical":
        return [_categories(values, allowance)]
    if kind in MASKED:
        numbers = _only_row(values.state["_data"], allowance)
        mask = _only_row(values.state["_mask"], allowance)
        pairs = zip(numbers, mask, strict=True)
        return [[None if is_missing else number for number, is_missing in pairs]]
    if kind in ARROW:
        state = values.state
        return [arrow_cells(state.get("_pa_array", state.get("_data")), allowance)]
    raise UnreadableColumnError(f"a pandas {kind}")


def _manager(owner: Instance) -> Any:
    state = owner.state
    return state["_mgr"] if "_mgr" in state else state["_data"]


def _axes_and_blocks(manager: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Return the indexes, and (values, places of their columns) of each block."""
    if manager.arguments:
        blocks, axes = manager.arguments
        return axes, [block.arguments[:2] for block in blocks]
    state = manager.state[3]["0.14.1"]  # the version of pandas that brought this layout
    return state["axes"], [(block["values"], block["mgr_locs"]) for block in state["blocks"]]


def _positions(places: Instance, count: int, allowance: Allowance) -> Iterable[int]:
    if places.kind == "slice":
        return range(count)[slice(*places.arguments)]
    return _only_row(places, allowance)


def _only_row(array: Instance, allowance: Allowance) -> list[Any]:
    return cells(to_array(array, allowance).reshape(-1), allowance)


def _categories(values: Instance, allowance: Allowance) -> list[Any]:
    dtype = _part(values.state, ("CategoricalDtype",))
    words = index_values(dtype.state["categories"], allowance)
    codes = _only_row(_part(values.state, ARRAYS), allowance)
    return [words[code] if code >= 0 else None for code in codes]


def _part(state: Any, kinds: Sequence[str]) -> Any:
    """Return the first part of such a kind of a state, a dict or a tuple whose order differs."""
    parts = state.values() if isinstance(state, dict) else state
    fitting = (part for part in parts if isinstance(part, Instance) and part.kind in kinds)
    return next(fitting, None)
