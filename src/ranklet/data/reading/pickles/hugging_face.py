"""A `datasets.Dataset` in a pickle, as columns, with neither datasets nor pyarrow."""

from __future__ import annotations

from typing import Any

from ranklet.data.reading.pickles.arrays import Allowance, as_text
from ranklet.data.reading.pickles.arrow import UnreadableColumnError, arrow_cells
from ranklet.data.reading.pickles.frames import Column
from ranklet.data.reading.pickles.machine import IN_DATASETS, Instance, RefusedPickleError


def dataset_columns(dataset: Instance, allowance: Allowance) -> list[tuple[str, Column]]:
    """Return the names and the columns of a Dataset, in the order of its rows.

    Raises:
        RefusedPickleError: Its rows lie in other files, which the pickle names.
    """
    columns = _table_columns(dataset.state["_data"], allowance)
    if dataset.state["_indices"] is None:
        return columns
    ((_, order),) = _table_columns(dataset.state["_indices"], allowance)
    if isinstance(order, str):
        raise RefusedPickleError(f"has {order} as the order of its rows", IN_DATASETS)
    allowance.take(len(order) * len(columns))
    return [
        (name, cells if isinstance(cells, str) else [cells[row] for row in order])
        for name, cells in columns
    ]


def class_names_in(dataset: Instance, column: str) -> tuple[str, ...] | None:
    """Return the class names of a column of integers, or of lists of them, if it has any."""
    (features,) = dataset.state["_info"].state["features"].arguments
    feature = features.get(column)
    if isinstance(feature, list):  # how `datasets` described lists once
        feature = feature[0]
    if isinstance(feature, Instance) and feature.kind in ("Sequence", "List", "LargeList"):
        feature = feature.state["feature"]
    if not isinstance(feature, Instance) or feature.kind != "ClassLabel":
        return None
    return tuple(as_text(name) for name in feature.state["names"])


def _table_columns(table: Instance, allowance: Allowance) -> list[tuple[str, Column]]:
    if table.kind == "ConcatenationTable":
        return _concatenated(table.state["blocks"], allowance)
    if table.kind != "InMemoryTable":
        raise RefusedPickleError(
            "has no rows, only the path of a file on the machine that wrote it (MemoryMappedTable)",
            IN_DATASETS,
        )
    schema, arrays = _schema_and_arrays(table.state)
    fields = schema.arguments[0]
    names = [as_text(field.arguments[0]) for field in fields]
    columns: list[Column] = []
    for array in arrays:
        try:
            columns.append(arrow_cells(array, allowance))
        except UnreadableColumnError as error:
            columns.append(str(error))
    return list(zip(names, columns, strict=True))


def _schema_and_arrays(state: dict[str, Any]) -> tuple[Instance, list[Instance]]:
    if "table" in state:
        arrays, schema = state["table"].arguments
        return schema, arrays
    batches = [batch.arguments[0] for batch in state["_batches"]]  # datasets 3
    chunks = [list(column) for column in zip(*batches, strict=True)]
    return state["_schema"], [Instance("chunked_array", (column,)) for column in chunks]


def _concatenated(blocks: list[list[Instance]], allowance: Allowance) -> list[tuple[str, Column]]:
    """Join tables below one another, each of tables side by side."""
    whole: dict[str, list[Any]] = {}
    unreadable: dict[str, Column] = {}
    for row in blocks:
        if any(block.kind == "ConcatenationTable" for block in row):
            raise RefusedPickleError("has tables joined of joined tables")
        for name, cells in [pair for block in row for pair in _table_columns(block, allowance)]:
            whole.setdefault(name, []).extend(cells)
            if isinstance(cells, str):
                unreadable[name] = cells
    return [(name, unreadable.get(name, cells)) for name, cells in whole.items()]
