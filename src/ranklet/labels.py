"""Label names and their indices, in an order fixed once and saved with every model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ranklet.errors import DataError

Label = str | tuple[str, ...]
"""What a text is labelled with: one name, or in multi-label data a sorted tuple, empty for none."""

SEPARATOR = "|"
"""What stands between the labels of a text in a cell."""


@dataclass(frozen=True)
class LabelSet:
    """The classes of a classifier, in the order of its logits.

    Attributes:
        names: Distinct label names; `names[i]` is the class of logit `i`.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            message = f"duplicate label names in {list(self.names)}; name each once"
            raise DataError(message, "labels")
        if len(self.names) < 2:
            message = f"a classifier needs at least 2 labels, found {list(self.names)}"
            raise DataError(message, "labels")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_values(cls, values: Iterable[str]) -> LabelSet:
        """Collect the distinct label names of a training split.

        Integers written as text sort as numbers, everything else alphabetically, so the order
        does not depend on the order of the rows.

        Raises:
            DataError: Fewer than two distinct labels.
        """
        distinct = set(values)
        numeric = all(value.lstrip("-").isdigit() for value in distinct)
        return cls(tuple(sorted(distinct, key=int) if numeric else sorted(distinct)))

    def index(self, name: str) -> int:
        """Return the logit index of a label name."""
        return self.names.index(name)


def as_written(label: Label) -> str:
    """Return a label as it stands in a cell: its name, or all of several."""
    return SEPARATOR.join(names_of(label))


def names_of(label: Label) -> tuple[str, ...]:
    """Return the names that a text is labelled with."""
    return (label,) if isinstance(label, str) else label
