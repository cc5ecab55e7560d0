"""Every number of one model on one split where a text has one label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation import calibration, metrics, ranking
from ranklet.evaluation.intervals import (
    Counts,
    Metric,
    Scores,
    metrics_of_counts,
    share_with_interval,
)
from ranklet.evaluation.result import AVERAGE_SCORES, Evaluation, OneLabelFigures
from ranklet.evaluation.score_intervals import LabelCounts, average_metrics, class_metrics
from ranklet.evaluation.selective import accuracy_by_coverage, confidence_of

UNSCALED = calibration.Scaling()


def evaluate_one_label(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
    scaling: calibration.Scaling = UNSCALED,
) -> Evaluation:
    """Compute every number of an evaluation from the probabilities of one split.

    The prediction of a row is its largest probability, the first one of equals. The accuracy, and
    every other share of rows, has Wilson's 95 % interval, and so have the scores of a class, which
    are made of shares; their averages have that of 2,000 resamples and of what these cannot show
    (see `score_intervals`). Log-loss, Brier score, areas under curves and calibration error have
    none.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.
        label_names: Names of the classes in the order of the columns.
        split: Name of the data, kept in the result.
        seed: Seed of the bootstrap.
        scaling: What was done to the logits before the softmax.

    Raises:
        DataError: No rows, shapes that disagree, probabilities that are not finite, or a label
            outside the classes.
    """
    metrics.require_predictions(probabilities, labels, len(label_names), split)
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), len(label_names))
    averages = confusion_metrics(confusion, seed)
    agreements = averages.pop("matthews"), averages.pop("kappa")
    counts = LabelCounts(np.diagonal(confusion), confusion.sum(1), confusion.sum(0))
    return Evaluation(
        split=split,
        rows=len(labels),
        labels=tuple(label_names),
        **averages,
        classes=class_metrics(label_names, counts),
        log_loss=metrics.log_loss(probabilities, labels),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        one_label=_further_figures(probabilities, labels, label_names, agreements, scaling),
    )


def confusion_metrics(confusion: Counts, seed: int) -> dict[str, Any]:
    """Compute what is a function of the whole confusion matrix, with intervals.

    Args:
        confusion: (classes, classes) rows, rows true, columns predicted; at least one row.
        seed: Seed of the bootstrap.

    Returns:
        A `Metric` for `accuracy`, the averages such as `f1_macro`, `matthews` and `kappa`.
    """
    counts = LabelCounts(np.diagonal(confusion), confusion.sum(1), confusion.sum(0))
    accuracy = share_with_interval(int(np.trace(confusion)), int(confusion.sum()))
    resampled = metrics_of_counts(confusion, _averages, seed)
    by_name = dict(zip(AVERAGE_SCORES, resampled, strict=True))
    matthews, kappa = _agreements(confusion, accuracy)
    return {
        **average_metrics(counts, by_name, is_one_label=True),
        "accuracy": accuracy,
        "recall_weighted": accuracy,  # it is the same share of the same rows
        "matthews": matthews,
        "kappa": kappa,
    }


def one_label_metrics(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Compute what the training loop compares, without intervals.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.

    Returns:
        `accuracy`, `macro_precision`, `macro_recall` and `macro_f1` (shares) and `loss` (nats; NaN
        if a true label's probability is NaN, which the training loop reports with its step).

    Raises:
        DataError: A label outside the classes.
    """
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), probabilities.shape[1])
    return {
        "accuracy": float(metrics.accuracy(confusion)),
        **metrics.macro_scores(metrics.class_scores(confusion)),
        "loss": metrics.log_loss(probabilities, labels),
    }


def _averages(confusion: Counts) -> Scores:
    return metrics.average_vector(metrics.class_scores(confusion))


def _agreements(confusion: Counts, accuracy: Metric) -> tuple[Metric, Metric]:
    """Compute Matthews correlation and Cohen's kappa, bounded where the accuracy is.

    How often true and predicted classes are which is taken as fixed, as in Cohen's own standard
    error (see `metrics.cohen_kappa`); both are then linear in the accuracy.
    """
    true, predicted = (confusion.sum(axis).astype(np.float64) for axis in (1, 0))
    pairs = float(confusion.sum()) ** 2
    steps = (
        np.sqrt(pairs - true @ true) * np.sqrt(pairs - predicted @ predicted) / pairs,
        (pairs - true @ predicted) / pairs,
    )
    values = (metrics.matthews_correlation(confusion), metrics.cohen_kappa(confusion))
    matthews, kappa = (
        _agreement(float(value), accuracy, float(step))
        for value, step in zip(values, steps, strict=True)
    )
    return matthews, kappa


def _agreement(value: float, accuracy: Metric, step: float) -> Metric:
    if step == 0:  # all of one class: nothing is known
        return Metric(value, (-1.0, 1.0))
    low, high = (value + (bound - accuracy.value) / step for bound in accuracy.interval)
    return Metric(value, (max(-1.0, low), min(1.0, high)))


def _further_figures(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    agreements: tuple[Metric, Metric],
    scaling: calibration.Scaling,
) -> OneLabelFigures:
    """Compute what is not a function of the confusion matrix, and put it together."""
    rankings = ranking.rank_classes(probabilities, labels, tuple(label_names))
    confidence, right = confidence_of(probabilities, labels)
    return OneLabelFigures(
        matthews=agreements[0],
        kappa=agreements[1],
        brier=calibration.brier_score(probabilities, labels),
        roc_auc_macro=ranking.mean_of_known([entry.roc_auc for entry in rankings]),
        average_precision_macro=ranking.mean_of_known(
            [entry.average_precision for entry in rankings]
        ),
        ranking=rankings,
        top=ranking.top_accuracies(probabilities, labels),
        calibration=_calibration(probabilities, labels, scaling),
        coverage=accuracy_by_coverage(confidence, right),
    )


def _calibration(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], scaling: calibration.Scaling
) -> calibration.Calibration:
    bins = calibration.reliability_bins(*confidence_of(probabilities, labels))
    before = probabilities
    temperature, exponent = scaling.temperature, scaling.exponent
    if scaling != UNSCALED:
        before = calibration.at_temperature(
            probabilities, temperature**-exponent, 1 / exponent
        ).astype(np.float32)
    bins_before = calibration.reliability_bins(*confidence_of(before, labels))
    return calibration.Calibration(
        temperature=temperature,
        error=calibration.expected_calibration_error(bins),
        error_before=calibration.expected_calibration_error(bins_before),
        log_loss_before=metrics.log_loss(before, labels),
        reliability=bins,
        reliability_before=bins_before,
        exponent=exponent,
    )
