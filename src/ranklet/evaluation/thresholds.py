"""Thresholds of labels, tuned on validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ranklet.problem import UNTUNED_THRESHOLD

COMMON_ROWS = 10
"""Rows with a label that weigh as much as what all labels have in common.

Of 0, 3, 10 and 30 tried on other texts than those that tuned: docs/developers/experiments.md.
"""


def tune_thresholds(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, ...]:
    """Choose for each label the probability from which a row has it.

    The threshold with the highest F1 of a label with few rows is mostly luck. So each is drawn to
    the one that is best for all labels together, the more so the fewer rows its label has:
    (n x own + `COMMON_ROWS` x common) / (n + `COMMON_ROWS`) for n rows.

    Args:
        probabilities: (rows, labels) float32, of validation; n >= 1.
        labels: (rows, labels) int64 of 0 and 1.

    Returns:
        One threshold a label: a row has the label if its probability is at least that.
    """
    own = np.array(best_thresholds(probabilities, labels))
    common = common_threshold(probabilities, labels)
    share = labels.sum(0) / (labels.sum(0) + COMMON_ROWS)
    return tuple((share * own + (1 - share) * common).tolist())


def common_threshold(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Choose the one threshold for all labels with the highest macro F1, in hundredths.

    Of equally good ones the nearest to 0.5 is taken. Arguments as of `tune_thresholds`.
    """
    support = labels.sum(0)

    def macro_f1(threshold: float) -> float:
        return float(_f1_at(threshold, probabilities, labels)[support > 0].sum())

    hundredths = sorted((step / 100 for step in range(1, 100)), key=_distance_from_untuned)
    return max(hundredths, key=macro_f1)


def _f1_at(
    threshold: float, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    decided = probabilities >= threshold
    f1: NDArray[np.float64] = (
        2 * (labels * decided).sum(0) / np.maximum(decided.sum(0) + labels.sum(0), 1)
    )
    return f1


def _distance_from_untuned(threshold: float) -> float:
    return abs(threshold - UNTUNED_THRESHOLD)


def best_thresholds(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, ...]:
    """Choose for each label the probability from which giving it has the highest F1.

    All thresholds that decide differently are tried, each in the middle between two neighbouring
    probabilities ("SCut", Yang 2001, "A study of thresholding strategies for text categorization",
    doi:10.1145/383952.383975). Where probabilities are right, the best threshold is half the F1
    that it reaches, so often far below 0.5 (Lipton, Elkan & Narayanaswamy 2014, arXiv:1402.1892),
    and the average of such labels' F1, macro F1, is highest too.

    A threshold stays at 0.5 where none has a higher F1 than 0.5 has, and so for a label that no row
    has; of equally good ones the nearest to 0.5 is taken. The F1 of the rows it was tuned on is too
    good for others, the more so the fewer they are; and a label about which nothing was learned is
    best given to every row (same paper).

    Arguments and result as of `tune_thresholds`.
    """
    order = np.argsort(-probabilities, axis=0, kind="stable")
    ranked = np.take_along_axis(probabilities.astype(np.float64), order, axis=0)
    below = np.concatenate([ranked[1:], np.zeros_like(ranked[:1])])
    support = labels.sum(0)
    given = np.arange(1, len(labels) + 1)[:, None]
    f1 = 2 * np.take_along_axis(labels, order, axis=0).cumsum(0) / (given + support)
    f1[ranked == below] = -1.0  # equal probabilities cannot be told apart
    best = f1.max(0)

    untuned = _f1_at(UNTUNED_THRESHOLD, probabilities, labels)
    middle = (ranked + below) / 2
    distance = np.where(f1 == best, abs(middle - UNTUNED_THRESHOLD), np.inf)
    nearest = np.take_along_axis(middle, distance.argmin(0)[None], axis=0)[0]
    return tuple(float(value) for value in np.where(best > untuned, nearest, UNTUNED_THRESHOLD))
