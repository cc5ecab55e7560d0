"""Answering only where the classifier is sure: accuracy against coverage.

The idea and its terms are those of El-Yaniv & Wiener 2010, "On the foundations of noise-free
selective classification", Journal of Machine Learning Research 11, 1605-1641.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import Metric, share_with_interval

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Coverage:
    """The rows that are answered above a threshold.

    Attributes:
        threshold: Smallest confidence, the probability of the predicted class, that is answered.
        rows: Rows with at least that confidence.
        coverage: Their share of all rows.
        accuracy: Share of them predicted right, with Wilson's interval; None without rows.
    """

    threshold: float
    rows: int
    coverage: float
    accuracy: Metric | None


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold chosen on validation for a wanted accuracy, and what it gives.

    Attributes:
        wanted: The accuracy asked for.
        validation: What it gives on the validation rows that it was chosen on.
        here: What it gives on the rows that are evaluated.
    """

    wanted: float
    validation: Coverage
    here: Coverage


def confidence_of(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the probability of each row's predicted class, and whether it is the true one."""
    return probabilities.max(1), probabilities.argmax(1) == labels


def covered(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], threshold: float
) -> Coverage:
    """Count what is answered above a threshold, and how well.

    Args:
        confidence: (n,) probability of the predicted class; n >= 1.
        right: (n,) whether it is the true one.
        threshold: Smallest confidence that is answered.
    """
    answered = right[confidence.astype(np.float64) >= threshold]
    rows, hits = len(answered), int(answered.sum())
    accuracy = share_with_interval(hits, rows) if rows else None
    return Coverage(float(threshold), rows, rows / len(right), accuracy)


def accuracy_by_coverage(
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    shares: Sequence[float] = COVERAGES,
) -> tuple[Coverage, ...]:
    """Answer the surest rows only: all of them, 95 %, 90 %, ... 50 %, or other shares.

    Rows that are as sure as the last one answered are answered too, so the coverage may be larger.
    Arguments as of `covered`.
    """
    ranked = np.sort(confidence.astype(np.float64))[::-1]
    counts = [max(1, round(share * len(ranked))) for share in shares]
    return tuple(covered(confidence, right, ranked[count - 1]) for count in counts)


def choose_threshold(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], wanted: float
) -> Coverage | None:
    """Find the lowest threshold above which at least a wanted share of the rows is right.

    The best of many thresholds on the same rows is a little too good for others; Geifman & El-Yaniv
    2017 (arXiv:1705.08500) bound by how much, which is not done here: read the interval.

    Args:
        confidence: (n,) probability of the predicted class, of validation; n >= 1.
        right: (n,) whether it is the true one.
        wanted: Accuracy, 0..1.

    Returns:
        What it gives on these rows; None where no threshold reaches the accuracy.
    """
    order = np.argsort(-confidence.astype(np.float64), kind="stable")
    ranked = confidence.astype(np.float64)[order]
    shares = right[order].cumsum() / np.arange(1, len(order) + 1)
    # Equal confidences cannot be told apart: a threshold takes in all of them.
    is_last = np.append(ranked[1:] < ranked[:-1], True)
    good = np.flatnonzero(is_last & (shares >= wanted))
    return covered(confidence, right, ranked[good[-1]]) if len(good) else None
