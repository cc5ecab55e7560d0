"""The share of wrong labels, by near copies that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ranklet.data.audit.copies import Copy
from ranklet.data.audit.result import WrongShare
from ranklet.evaluation.intervals import wilson_interval
from ranklet.labels import Label

ALIKE = 0.7
"""Resemblance from which two texts are taken to mean the same."""

FEWEST_PAIRS = 50


def share_by_copies(copies: Mapping[int, Copy], labels: Sequence[Label]) -> WrongShare | None:
    """Estimate the share of wrong labels from near copies, each in one pair.

    Two texts that mean the same have the same true label, and each may be labelled wrongly; wrong
    labels are taken to be spread evenly over the other classes when they meet.

    Returns:
        The share with its 95 % interval; None where there are fewer than 50 pairs.
    """
    paired = set[int]()
    differ = []
    for row, copy in copies.items():
        if copy.resemblance >= ALIKE and row not in paired and copy.other not in paired:
            paired |= {row, copy.other}
            differ.append(labels[row] != labels[copy.other])
    if len(differ) < FEWEST_PAIRS:
        return None
    low, high = wilson_interval(sum(differ), len(differ))
    classes = len(set(labels))
    return WrongShare(
        value=_wrong(sum(differ) / len(differ), classes),
        interval=(_wrong(low, classes), _wrong(high, classes)),
        copies=len(differ),
        contradicting=sum(differ),
    )


def _wrong(differ: float, classes: int) -> float:
    """Solve `1 - differ = (1 - wrong)^2 + wrong^2 / (classes - 1)` for `wrong`."""
    square = classes / (classes - 1)
    return float((1 - max(1 - square * differ, 0.0) ** 0.5) / square)
