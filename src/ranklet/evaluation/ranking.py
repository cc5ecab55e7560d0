"""Figures of the order that probabilities put rows or classes into, whatever their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import Metric, share_with_interval

TOP = (2, 3)


@dataclass(frozen=True)
class ClassRanking:
    """How well the probability of one class tells its rows from all others; no intervals.

    Attributes:
        label: Name of the class.
        roc_auc: Chance that a row of it has a larger probability than a row of another class, equal
            ones counted half; None where there are no rows of it, or no others.
        average_precision: Area under precision over recall, as a sum of steps (PR-AUC); None in the
            same cases.
    """

    label: str
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class TopAccuracy:
    """How often the true class is among the most probable ones.

    Attributes:
        k: How many of them.
        accuracy: Share of rows, with Wilson's interval.
    """

    k: int
    accuracy: Metric


def rank_classes(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], label_names: tuple[str, ...]
) -> tuple[ClassRanking, ...]:
    """Compute ROC-AUC and average precision of each class against the rest, by scikit-learn.

    Args:
        probabilities: (n, classes) float32, finite.
        labels: (n,) int64 class indices.
        label_names: Names of the classes in the order of the columns.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    rankings = []
    for column, name in enumerate(label_names):
        is_true = labels == column
        if is_true.all() or not is_true.any():
            rankings.append(ClassRanking(name, None, None))
            continue
        values = probabilities[:, column]
        area = float(roc_auc_score(is_true, values))
        rankings.append(ClassRanking(name, area, float(average_precision_score(is_true, values))))
    return tuple(rankings)


def mean_of_known(values: list[float | None]) -> float | None:
    """Average the figures that are not None; None where all are."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def top_accuracies(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[TopAccuracy, ...]:
    """Compute how often the true class is among the 2, and the 3, most probable ones.

    Of equally probable classes the first counts as more probable, as in a prediction. What takes in
    every class is left out.

    Args:
        probabilities: (n, classes) float32; n >= 1.
        labels: (n,) int64 class indices.
    """
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    place = (ranked == labels[:, None]).argmax(1)
    return tuple(
        TopAccuracy(k, share_with_interval(int((place < k).sum()), len(labels)))
        for k in TOP
        if k < probabilities.shape[1]
    )
