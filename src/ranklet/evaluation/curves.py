"""Points of the curves that need the probability of every row, few enough to keep in a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.ranking import mean_of_known
from ranklet.evaluation.selective import Coverage, accuracy_by_coverage

MOST_POINTS = 200
MOST_LABELS = 8  # whose lines can be told apart
LOWEST_LABELS = 7  # that are kept of more, beside their mean
CONFIDENCE_BINS = 20
_DIGITS = 6

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """One line, from left to right.

    Attributes:
        label: Name of the label that is told apart from all others; None: the mean of all labels.
        area: Area under all points, also those that are not kept here.
        x: False positive rate, or recall.
        y: True positive rate, or precision.
    """

    label: str | None
    area: float
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ConfidenceBin:
    """Rows of about the same confidence.

    Attributes:
        low: Their confidence is at least this.
        high: And below this; in the last bin, at most.
        right: Rows predicted right.
        wrong: Rows predicted wrong.
    """

    low: float
    high: float
    right: int
    wrong: int


@dataclass(frozen=True)
class Curves:
    """What is drawn of a split besides its `Evaluation`.

    Of more than 8 labels the 7 lowest by area are kept, lowest first; from 3 labels on the mean of
    all of them stands behind.

    Attributes:
        labels: Labels that have texts and are not all of them; the others have no curve.
        roc: True positive rate over false positive rate.
        precision_recall: Precision over recall; between two points it has the value of the right
            one.
        coverage: Accuracy where only the surest rows are answered; empty where a row may have
            several labels.
        confidence: Rows by confidence; empty in the same case.
    """

    labels: int
    roc: tuple[Curve, ...]
    precision_recall: tuple[Curve, ...]
    coverage: tuple[Coverage, ...] = ()
    confidence: tuple[ConfidenceBin, ...] = ()


def ranking_curves(
    probabilities: NDArray[np.float32], is_true: NDArray[np.bool_], label_names: Sequence[str]
) -> Curves:
    """Compute ROC and precision-recall curves of each label against the rest, by scikit-learn.

    The mean of ROC curves is taken at equal false positive rates ("vertical averaging": T. Fawcett,
    "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006), 861-874, section 7.2),
    that of precision at equal recalls; its area is the mean of the areas.

    Args:
        probabilities: (n, labels) float32, finite.
        is_true: (n, labels) whether a row has the label.
        label_names: Names of the labels in the order of the columns.
    """
    columns = [
        column
        for column in range(len(label_names))
        if is_true[:, column].any() and not is_true[:, column].all()
    ]
    names = [label_names[column] for column in columns]
    roc = [_roc(is_true[:, column], probabilities[:, column]) for column in columns]
    recall = [_precision_recall(is_true[:, column], probabilities[:, column]) for column in columns]
    grid = np.linspace(0, 1, MOST_POINTS - 1)
    rates = [np.append(0.0, np.interp(grid, *points)) for points in roc]
    # At a recall between two points precision is that of the right one, as in its area.
    precisions = [precision[np.searchsorted(recall, grid)] for recall, precision in recall]
    return Curves(
        labels=len(columns),
        roc=_lines(names, roc, [_area(*points) for points in roc], np.append(0.0, grid), rates),
        precision_recall=_lines(
            names, recall, [_average_precision(*points) for points in recall], grid, precisions
        ),
    )


def selective_curve(
    confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> tuple[Coverage, ...]:
    """Compute the accuracy of the surest rows at coverages from 1 down to 0.05, in 96 steps.

    Args:
        confidence: (n,) probability of the predicted class; n >= 1.
        right: (n,) whether it is the true one.
    """
    shares = [share / 100 for share in range(100, 4, -1)]
    coverages = accuracy_by_coverage(confidence, right, shares)
    # Of few rows several are alike.
    return tuple({coverage.rows: coverage for coverage in coverages}.values())


def confidence_bins(
    confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> tuple[ConfidenceBin, ...]:
    """Count right and wrong rows in 20 bins of equal width; arguments as of `selective_curve`."""
    edges = np.arange(CONFIDENCE_BINS + 1) / CONFIDENCE_BINS
    hits, misses = (
        np.histogram(confidence.astype(np.float64)[rows], edges)[0] for rows in (right, ~right)
    )
    return tuple(
        ConfidenceBin(low, high, hit, miss)
        for low, high, hit, miss in zip(
            edges[:-1].tolist(), edges[1:].tolist(), hits.tolist(), misses.tolist(), strict=True
        )
    )


def thinned(x: NDArray[np.float64], y: NDArray[np.float64], most: int = MOST_POINTS) -> Points:
    """Keep points at about equal distances along a line, its first and last among them.

    Args:
        x: (n,) within 0..1.
        y: (n,) within 0..1.
        most: Points to keep, at least 2.
    """
    path = np.append(0.0, (np.abs(np.diff(x)) + np.abs(np.diff(y))).cumsum())
    places = np.unique(np.searchsorted(path, np.linspace(0, path[-1], most)))
    return x[places], y[places]


def _roc(is_true: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> Points:
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(is_true, probabilities)
    return false_rate, true_rate


def _precision_recall(is_true: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> Points:
    """Return (recall, precision) wherever the recall grows, from 0 to 1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(is_true, probabilities)
    recall, precision = recall[::-1], precision[::-1]
    # Between two hits precision only falls; its area does not contain that.
    grows = np.append(True, np.diff(recall) > 0)
    return recall[grows], precision[grows]


def _area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.trapezoid(y, x))


def _average_precision(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    return float((np.diff(recall) * precision[1:]).sum())


def _lines(
    names: Sequence[str],
    points: Sequence[Points],
    areas: Sequence[float],
    grid: NDArray[np.float64],
    on_grid: Sequence[NDArray[np.float64]],
) -> tuple[Curve, ...]:
    """Choose and thin the curves of labels to keep, and put their mean on a grid behind them."""
    places = list(range(len(names)))
    if len(names) > MOST_LABELS:
        places = sorted(places, key=lambda place: areas[place])[:LOWEST_LABELS]
    curves = [_curve(names[place], areas[place], *thinned(*points[place])) for place in places]
    mean = mean_of_known(list(areas))
    if len(names) > 2 and mean is not None:
        curves.append(_curve(None, mean, grid, np.mean(on_grid, axis=0)))
    return tuple(curves)


def _curve(label: str | None, area: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    return Curve(label, area, tuple(x.round(_DIGITS).tolist()), tuple(y.round(_DIGITS).tolist()))
