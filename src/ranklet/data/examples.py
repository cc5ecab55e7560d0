"""Examples: the texts and labels of one split, with the lines they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ranklet.data.hints import listed, nearest
from ranklet.errors import DataError
from ranklet.labels import LabelSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Examples:
    """Rows of one split, in the order of their source.

    Attributes:
        texts: One text per row.
        labels: One label name per row, or None where the source has no labels.
        lines: Line on which each row starts, counted from 1 (parquet: row number).
        source: File path or data set name, for messages.
        label_names: All label names in the order of the integers that stand for them, where the
            source or its reader says so.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    lines: tuple[int, ...]
    source: str
    label_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.texts), len(self.lines), len(self.labels or self.texts)}
        if len(lengths) != 1:
            raise ValueError(f"texts, labels and lines differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, indices: Sequence[int]) -> Examples:
        """Return the rows at `indices`, in that order."""
        return replace(
            self,
            texts=tuple(self.texts[index] for index in indices),
            labels=self.labels and tuple(self.labels[index] for index in indices),
            lines=tuple(self.lines[index] for index in indices),
        )


def encode_labels(examples: Examples, labels: LabelSet) -> NDArray[np.int64]:
    """Map the labels of a split to logit indices, (rows,) int64.

    Raises:
        DataError: The split has no labels, or one that the training split lacks.
    """
    import numpy as np

    position = {name: index for index, name in enumerate(labels.names)}
    names = required_labels(examples)
    for name, line in zip(names, examples.lines, strict=True):
        if name not in position:
            raise DataError(
                f"label {name!r} is not among the training labels {listed(labels.names)}"
                f"{nearest(name, labels.names)}",
                examples.source,
                line,
            )
    return np.array([position[name] for name in names], dtype=np.int64)


def distinct_labels(examples: Examples) -> LabelSet:
    """Collect the classes of a split, in an order that does not depend on that of the rows.

    Raises:
        DataError: The split has no labels, or only one.
    """
    names = required_labels(examples)
    if len(set(names)) < 2:
        raise DataError(
            f"every row has the label {names[0]!r}; a classifier needs at least 2 labels",
            examples.source,
        )
    return LabelSet.from_values(names)


def required_labels(examples: Examples) -> tuple[str, ...]:
    """Return the labels of a split that must have them.

    Raises:
        DataError: The split has no labels.
    """
    if examples.labels is None:
        raise DataError("has no labels; set data.label_column to its column", examples.source)
    return examples.labels
