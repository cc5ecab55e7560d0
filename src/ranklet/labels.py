"""Label names and their indices, in an order fixed once and saved with every model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ranklet.errors import DataError

Label = str | tuple[str, ...]
"""What a text is labelled with: one name, or in multi-label data a sorted tuple, empty for none."""

SEPARATOR = "|"
"""What stands between the labels of a text in a cell that is written."""

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
TRUTHS = ("true", "false")


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

        Numbers written as text sort as numbers, everything else alphabetically, so the order
        does not depend on the order of the rows.

        Raises:
            DataError: Fewer than two distinct labels.
        """
        distinct = sorted(set(values))
        return cls(
            tuple(sorted(distinct, key=float) if all(map(is_number, distinct)) else distinct)
        )

    def index(self, name: str) -> int:
        """Return the logit index of a label name."""
        return self.names.index(name)


def is_number(name: str) -> bool:
    """Tell whether a label is a number, and no code such as `01`."""
    return NUMBER.fullmatch(name) is not None


def plain_number(name: str) -> str:
    """Return a number without the zeros that say nothing: 1 for 1.0."""
    return name.rstrip("0").rstrip(".") if "." in name else name


def likeness(name: str) -> str:
    """Return what equal labels of several files share: `1` and `1.0`, `true` and `True`."""
    folded = name.strip().lower()
    return folded if folded in TRUTHS else plain_number(name) if is_number(name) else name


def as_written(label: Label) -> str:
    """Return a label as it stands in a cell: its name, or all of several."""
    return SEPARATOR.join(names_of(label))


def names_of(label: Label) -> tuple[str, ...]:
    """Return the names that a text is labelled with."""
    return (label,) if isinstance(label, str) else label
