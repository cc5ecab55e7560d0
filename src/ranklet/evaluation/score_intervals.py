"""Intervals of precision, recall and F1: of each label, and of their averages over labels.

Resampling the rows cannot show an error that is in none of them, so a label without an error would
have an interval of no width, and an average of such labels too. Each score of one label is a share
of rows, or a function of one, and has Wilson's interval instead. The interval of an average is that
of resampling, and the unseen parts of its labels are added to it in squares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import Counts, Metric, Scores, wilson_bounds
from ranklet.evaluation.metrics import scores_of_counts
from ranklet.evaluation.result import SCORES, ClassMetrics


@dataclass(frozen=True)
class LabelCounts:
    """What the scores of every label are made of.

    Attributes:
        hits: (labels,) rows that have a label and were given it.
        support: (labels,) rows that have it.
        predicted: (labels,) rows that were given it.
    """

    hits: Counts
    support: Counts
    predicted: Counts


def class_metrics(label_names: Sequence[str], counts: LabelCounts) -> tuple[ClassMetrics, ...]:
    """Compute the scores of every label with Wilson's 95 % intervals.

    Precision is a share of the rows that were given a label, recall of those that have it. F1 is
    2 J / (1 + J), where J is the share of hits among the rows that have a label or were given it
    (D. J. Hand, P. Christen and N. Kirielle, "F*: an interpretable transformation of the
    F-measure", Machine Learning 110 (2021), 451-456), and so are its bounds. A score of no row is
    0, and its interval 0 to 1.
    """
    parts = _parts(counts)
    by_label = [
        [
            Metric(float(value), (float(low), float(high)))
            for value, low, high in zip(part.values, part.low, part.high, strict=True)
        ]
        for part in parts.values()
    ]
    rows = zip(label_names, counts.support.tolist(), *by_label, strict=True)
    return tuple(ClassMetrics(*row) for row in rows)


def average_metrics(
    counts: LabelCounts, resampled: Mapping[str, Metric], *, is_one_label: bool
) -> dict[str, Any]:
    """Add to the intervals of averages what resampling cannot see.

    The distance of a bound from the average becomes the root of the sum of its square and those of
    the weighed distances of labels whose score is 0 or 1 (the method of variance estimates
    recovery: G. Y. Zou and A. Donner, "Construction of confidence intervals about effect measures:
    a general approach", Statistics in Medicine 27 (2008), 1693-1702). Where a row has one label, an
    error lowers the F1 of two labels by about as much, so that these squares count twice.

    Args:
        counts: Of every label.
        resampled: Averages by name, such as `f1_macro`, with their bootstrap intervals; the kinds
            are `macro`, `weighted` and `micro`.
        is_one_label: Whether a row has one label.

    Returns:
        A `Metric` by each name.
    """
    parts = _parts(counts)
    widened: dict[str, Any] = {}
    for name, metric in resampled.items():
        score, kind = name.split("_")
        doubled = 2.0 if is_one_label and score == "f1" else 1.0
        widened[name] = _widened(metric, parts[score], _weights(counts, score, kind), doubled)
    return widened


def mean_of_shares(resampled: Metric, hits: Counts, rows: int) -> Metric:
    """Add to the interval of a mean of shares of the same rows what resampling cannot see."""
    of_rows = np.full(len(hits), rows)
    part = _Part(hits / rows, *wilson_bounds(hits, of_rows), of_rows)
    return _widened(resampled, part, np.full(len(hits), 1 / len(hits)))


@dataclass(frozen=True)
class _Part:
    """One score of every label, (labels,) each: values, bounds, and the rows it is a share of."""

    values: Scores
    low: Scores
    high: Scores
    rows: Counts


def _parts(counts: LabelCounts) -> dict[str, _Part]:
    either = counts.support + counts.predicted - counts.hits
    scores = scores_of_counts(counts.hits, counts.support, counts.predicted)
    shares = (counts.predicted, counts.support, either)
    parts = {}
    for score, rows in zip(SCORES, shares, strict=True):
        low, high = wilson_bounds(counts.hits, rows)
        if score == "f1":
            low, high = 2 * low / (1 + low), 2 * high / (1 + high)
        parts[score] = _Part(getattr(scores, score), low, high, rows)
    return parts


def _weights(counts: LabelCounts, score: str, kind: str) -> Scores:
    """Return how much of an average each label is, (labels,) float64."""
    if kind == "macro":
        return np.full(len(counts.support), 1 / len(counts.support))
    by_score: dict[str, NDArray[np.int64]] = {
        "precision": counts.predicted,
        "recall": counts.support,
        "f1": counts.support + counts.predicted,
    }
    weights = counts.support if kind == "weighted" else by_score[score]
    return np.asarray(weights / max(weights.sum(), 1))


def _widened(metric: Metric, part: _Part, weights: Scores, doubled: float = 1.0) -> Metric:
    is_unseen = ((part.values == 0) | (part.values == 1)) & (part.rows > 0)

    def reach(resampled: float, bounds: Scores) -> float:
        unseen = (weights * (part.values - bounds))[is_unseen]
        return math.sqrt(resampled**2 + doubled * float((unseen**2).sum()))

    low, high = metric.interval
    # A percentile may miss the value by a hair, on the other side of it.
    below, above = max(metric.value - low, 0.0), max(high - metric.value, 0.0)
    return Metric(
        metric.value,
        (
            max(0.0, metric.value - reach(below, part.low)),
            min(1.0, metric.value + reach(above, part.high)),
        ),
    )
