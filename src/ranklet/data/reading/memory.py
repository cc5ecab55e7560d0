"""Texts and labels that are in memory: whatever holds them, as the rows that a file would give.

Nothing is imported for it: arrays and columns are known by their `tolist`, tables (pandas,
`datasets`) by the names of their columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ranklet.data.reading.row import Row, typed_row, value_kind
from ranklet.data.texts import Text
from ranklet.errors import DataError

IN_MEMORY = "texts in memory"
"""What recipes and messages call them."""

TEXT, LABEL = "text", "label"
"""Columns of rows that name none."""


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their labels in memory, accepted wherever the name of a file is.

    Attributes:
        texts: A list, NumPy array or pandas Series of str, or of pairs (`data.pair`).
        labels: One label a text, a str or an int; where a text may have several, a list of them
            for each. None: texts alone, where no labels are needed.
        label_names: Names of the integers 0 .. n-1, where the labels are such; None: labels are
            used as they are.
    """

    texts: Iterable[Text]
    labels: Iterable[Any] | None = None
    label_names: Sequence[str] | None = None


@dataclass(frozen=True)
class RowsInMemory:
    """Rows that were in memory, in their order, as readers of files give them.

    Attributes:
        rows: One a text; `Row.line` is its index, counted from 0.
        has_columns: Whether the rows name their columns; else they are `text` and `label`.
        class_names: Names of the integers of a column, where the table knows them.
    """

    rows: tuple[Row, ...]
    has_columns: bool
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def are_texts_alone(self) -> bool:
        """Whether there are neither labels nor named columns."""
        first = self.rows[0]
        return not self.has_columns and LABEL not in first.cells and LABEL not in first.kinds


InMemory = LabelledTexts | RowsInMemory | Iterable[Any]
"""`LabelledTexts`; a tuple (texts, labels); a pandas DataFrame, a `datasets.Dataset` or an iterable
of dicts, read by the names of their columns; or, where no labels are needed, an iterable of str."""

Data = str | Path | InMemory
"""The name of a source (file, named set, hub data set), or texts in memory."""


def as_source(data: Data) -> str | RowsInMemory:
    """Return the name of a source as it is, and texts in memory as rows; iterators are used up.

    Raises:
        DataError: No texts, as many labels as there are not texts, or something else altogether.
    """
    if isinstance(data, str | Path):
        return str(data)
    if isinstance(data, RowsInMemory):
        return data
    if isinstance(data, LabelledTexts):
        return _pair(data.texts, data.labels, data.label_names)
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str | Mapping):
        return _pair(*data)
    columns = _column_names(data)
    if columns is not None:
        return _table(data, columns)
    return _records(_listed(data, "texts"))


def plain_texts(texts: Iterable[Text]) -> list[Text]:
    """Return a list, NumPy array or pandas Series of str, or of pairs, as a list.

    Raises:
        DataError: It is one text, or holds something else than texts.
    """
    plain = [_plain(text) for text in _listed(texts, "texts")]
    return [_text(text, index) for index, text in enumerate(plain)]


def pair_of(values: Sequence[object], source: str, line: int) -> tuple[str, str]:
    """Return the two texts of a list.

    Raises:
        DataError: They are not two texts.
    """
    texts = [value for value in values if isinstance(value, str)]
    if len(values) != 2 or len(texts) != 2:
        message = f"found {len(values)} values where a pair of two texts must stand"
        raise DataError(message, source, line)
    return texts[0], texts[1]


def _text(value: object, index: int) -> Text:
    if isinstance(value, list):
        return pair_of(value, IN_MEMORY, index)
    if not isinstance(value, str):
        kind = value_kind(value)
        raise DataError(f"found {kind} where a text must stand", IN_MEMORY, index)
    return value


def _pair(
    texts: Iterable[Text], labels: Iterable[Any] | None, label_names: Sequence[str] | None = None
) -> RowsInMemory:
    cells = [_plain(text) for text in _listed(texts, "texts")]
    if labels is None:
        return RowsInMemory(_rows({TEXT: text} for text in cells), has_columns=False)
    label_cells = [_plain(label) for label in _listed(labels, "labels")]
    if len(cells) != len(label_cells):
        message = f"{len(cells):,} texts and {len(label_cells):,} labels; give one label a text"
        raise DataError(message, IN_MEMORY)
    pairs = zip(cells, label_cells, strict=True)
    rows = _rows({TEXT: text, LABEL: label} for text, label in pairs)
    names = {} if label_names is None else {LABEL: tuple(label_names)}
    return RowsInMemory(rows, has_columns=False, class_names=names)


def _table(data: Any, columns: Sequence[Any]) -> RowsInMemory:
    values = [[_plain(value) for value in _listed(data[name], "texts")] for name in columns]
    names = [str(name) for name in columns]
    rows = _rows(dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
    features = getattr(data, "features", None) or {}
    classes = {name: _names_of(features.get(name)) for name in names}
    return RowsInMemory(rows, True, {name: own for name, own in classes.items() if own})


def _records(items: Sequence[Any]) -> RowsInMemory:
    if items and all(isinstance(item, Mapping) for item in items):
        plain = ({str(key): _plain(value) for key, value in item.items()} for item in items)
        return RowsInMemory(_rows(plain), has_columns=True)
    if items and isinstance(items[0], Mapping):
        odd = next(row for row, item in enumerate(items) if not isinstance(item, Mapping))
        raise DataError("found no dict where the others are such", IN_MEMORY, odd)
    return RowsInMemory(_rows({TEXT: _plain(item)} for item in items), has_columns=False)


def _rows(values: Iterable[Mapping[str, object]]) -> tuple[Row, ...]:
    rows = tuple(typed_row(index, row) for index, row in enumerate(values))
    if not rows:
        raise DataError("there are none; give at least one", IN_MEMORY)
    return rows


def _listed(values: Any, what: str) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise DataError(
            f"{what} are {_kind(values)}; give (texts, labels), a table with named columns or an "
            "iterable of dicts",
            IN_MEMORY,
        )
    return list(values)


def _kind(value: object) -> str:
    names = {str: "one text", type(None): "None"}
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} of {', '.join(map(repr, list(value)[:3]))}"
    return names.get(type(value), f"a {type(value).__name__}")


def _column_names(data: Any) -> list[Any] | None:
    """Return the names of a table's columns; None of what is no table."""
    names = getattr(data, "column_names", None)  # datasets.Dataset
    if names is None and hasattr(data, "iloc"):  # pandas
        names = getattr(data, "columns", None)
    return None if names is None or isinstance(names, Mapping) else list(names)


def _names_of(feature: Any) -> tuple[str, ...] | None:
    """Return the class names of a column of `datasets`, or of the items of one of lists."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return None if names is None else tuple(str(name) for name in names)


def _plain(value: Any) -> object:
    """Return Python's own value for one of NumPy, None for NaN, and a list for any collection."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and math.isnan(value):  # how pandas writes that there is nothing
        return None
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=str)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
