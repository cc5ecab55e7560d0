"""Examples: the texts and labels of one split, with the lines they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ranklet.data.hints import listed, nearest
from ranklet.errors import DataError
from ranklet.labels import Label, LabelSet, names_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Examples:
    """Rows of one split, in the order of their source.

    Attributes:
        texts: One text per row.
        labels: One label name per row, or in multi-label data one sorted tuple of names; None where
            the source has no labels.
        lines: Line on which each row starts, counted from 1 (parquet: row number); of texts in
            memory their indices, counted from 0.
        source: File path or data set name, for messages.
        label_names: All label names in the order of the integers that stand for them, where the
            source or its reader says so.
        sha256: Of the bytes of the file that was read, or of texts and labels in memory; None of a
            named set and of a data set of the hub.
        notes: What a person should know of the reading, such as rows that were left out.
    """

    texts: tuple[str, ...]
    labels: tuple[Label, ...] | None
    lines: tuple[int, ...]
    source: str
    label_names: tuple[str, ...] | None = None
    sha256: str | None = field(default=None, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        lengths = {len(self.texts), len(self.lines), len(self.labels or self.texts)}
        if len(lengths) != 1:
            raise ValueError(f"texts, labels and lines differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def multi_label(self) -> bool:
        """Whether a row may have any number of labels."""
        return isinstance(next(iter(self.labels or ()), ""), tuple)

    def select(self, indices: Sequence[int]) -> Examples:
        """Return the rows at `indices`, in that order."""
        return replace(
            self,
            texts=tuple(self.texts[index] for index in indices),
            labels=self.labels and tuple(self.labels[index] for index in indices),
            lines=tuple(self.lines[index] for index in indices),
        )


def encode_labels(examples: Examples, labels: LabelSet) -> NDArray[np.int64]:
    """Map the labels of a split to logit indices.

    Returns:
        (rows,) int64; of multi-label data (rows, labels) int64, 1 where a row has a label, else 0.

    Raises:
        DataError: The split has no labels, or one that the training split lacks.
    """
    import numpy as np

    position = {name: index for index, name in enumerate(labels.names)}
    sets = [names_of(label) for label in required_labels(examples)]
    for names, line in zip(sets, examples.lines, strict=True):
        for name in names:
            if name not in position:
                message = (
                    f"label {name!r} is not among the training labels {listed(labels.names)}"
                    f"{nearest(name, labels.names)}"
                )
                raise DataError(message, examples.source, line)
    if not examples.multi_label:
        return np.array([position[name] for (name,) in sets], dtype=np.int64)
    encoded = np.zeros((len(sets), len(labels)), dtype=np.int64)
    for row, names in enumerate(sets):
        encoded[row, [position[name] for name in names]] = 1
    return encoded


def distinct_labels(examples: Examples) -> LabelSet:
    """Collect the classes of a split, in an order that does not depend on that of the rows.

    Raises:
        DataError: The split has no labels, or only one.
    """
    names = [name for label in required_labels(examples) for name in names_of(label)]
    if len(set(names)) < 2:
        reason = f"every row has the label {names[0]!r}" if names else "no row has a label"
        if names and examples.multi_label:
            reason = f"there is no label but {names[0]!r}"
        raise DataError(f"{reason}; a classifier needs at least 2 labels", examples.source)
    return LabelSet.from_values(names)


def required_labels(examples: Examples) -> tuple[Label, ...]:
    """Return the labels of a split that must have them.

    Raises:
        DataError: The split has no labels.
    """
    if examples.labels is None:
        raise DataError("has no labels; set data.label_column to its column", examples.source)
    return examples.labels
