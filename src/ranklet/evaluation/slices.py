"""Accuracy on parts of the rows: where a classifier is good, and where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ranklet.data.words import count_words
from ranklet.evaluation.intervals import Metric, share_with_interval

CONFIDENCE_EDGES = (0.5, 0.7, 0.9, 0.99)
MOST_VALUES = 20
OTHERS = "(others)"
EMPTY = "(empty)"


@dataclass(frozen=True)
class Slice:
    """The rows that have something in common.

    Attributes:
        by: What rows are told apart by: `words`, `tokens`, `class`, `confidence`, or a column.
        value: What these rows have of it.
        rows: How many there are, at least 1.
        accuracy: Share predicted right, with Wilson's interval; where a row may have several
            labels, with all of them right and no other.
    """

    by: str
    value: str
    rows: int
    accuracy: Metric


@dataclass(frozen=True, eq=False)
class Grouping:
    """What group each row belongs to.

    Attributes:
        by: What rows are told apart by.
        names: Names of the groups, in the order in which they are shown.
        groups: (n,) int64 index of each row's group.
    """

    by: str
    names: tuple[str, ...]
    groups: NDArray[np.int64]


def slice_rows(grouping: Grouping, right: NDArray[np.bool_]) -> tuple[Slice, ...]:
    """Compute the accuracy of every group that has rows.

    Args:
        grouping: Of the rows.
        right: (n,) whether each was predicted right.
    """
    rows = np.bincount(grouping.groups, minlength=len(grouping.names)).tolist()
    hits = np.bincount(grouping.groups, weights=right, minlength=len(grouping.names))
    return tuple(
        Slice(grouping.by, name, count, share_with_interval(int(hit), count))
        for name, count, hit in zip(grouping.names, rows, hits, strict=True)
        if count
    )


def by_words(texts: Sequence[str]) -> Grouping:
    """Tell texts apart by the quarter their number of words falls into, see `count_words`.

    Texts of equally many words stay together, so quarters may differ in size, and be fewer.
    """
    words = np.array([count_words(text) for text in texts])
    edges = np.unique(np.quantile(words, [0.25, 0.5, 0.75, 1.0], method="lower"))
    lowest = [int(words.min()), *(int(edge) + 1 for edge in edges[:-1])]
    names = tuple(
        f"{low} to {high}" if low < high else f"{low}"
        for low, high in zip(lowest, edges.tolist(), strict=True)
    )
    return Grouping("words", names, np.searchsorted(edges, words))


def by_tokens(lengths: NDArray[np.integer], max_length: int) -> Grouping:
    """Tell texts that fit apart from those as long as is read at once, which were mostly cut.

    Args:
        lengths: (n,) tokens that were read of each text, or of the first window of it.
        max_length: Most tokens that are read at once.
    """
    names = (f"below {max_length}", f"{max_length}, the most that is read")
    return Grouping("tokens", names, (lengths >= max_length).astype(np.int64))


def by_confidence(confidence: NDArray[np.floating]) -> Grouping:
    """Tell rows apart by the probability of their predicted class."""
    edges = (0.0, *CONFIDENCE_EDGES)
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    names.append(f"{edges[-1]:g} and more")
    groups = np.searchsorted(CONFIDENCE_EDGES, confidence.astype(np.float64), side="right")
    return Grouping("confidence", tuple(names), groups)


def by_column(column: str, cells: Sequence[str]) -> Grouping:
    """Tell rows apart by a column of their file; of more than 20 values the rarest are one group.

    Args:
        column: Its name.
        cells: (n,) what each row has there.
    """
    values = [cell.strip() or EMPTY for cell in cells]
    # Of equally frequent values the first by name comes first, whatever the order of the rows.
    ranked = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in ranked]
    if len(names) > MOST_VALUES:
        names = [*names[: MOST_VALUES - 1], OTHERS]
    places = {name: place for place, name in enumerate(names)}
    groups = [places.get(value, len(names) - 1) for value in values]
    return Grouping(column, tuple(names), np.array(groups, dtype=np.int64))
