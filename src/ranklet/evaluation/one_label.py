"""Every number of one model on one split where a text has one label."""

from __future__ import annotations

from collections.abc import Sequence

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
from ranklet.evaluation.result import Evaluation, OneLabelFigures, scores_of_vector
from ranklet.evaluation.selective import accuracy_by_coverage, confidence_of


def evaluate_one_label(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
    temperature: float = 1.0,
) -> Evaluation:
    """Compute every number of an evaluation from the probabilities of one split.

    The prediction of a row is its largest probability, the first one of equals. The accuracy, and
    every other share of rows, has Wilson's 95 % interval; what else is a function of the confusion
    matrix has a bootstrap percentile interval of 2,000 resamples. Log-loss, Brier score, areas
    under curves and calibration error have none.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.
        label_names: Names of the classes in the order of the columns.
        split: Name of the data, kept in the result.
        seed: Seed of the bootstrap.
        temperature: What the logits behind the probabilities were divided by.

    Raises:
        DataError: No rows, shapes that disagree, probabilities that are not finite, or a label
            outside the classes.
    """
    metrics.require_predictions(probabilities, labels, len(label_names), split)
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), len(label_names))
    scores = iter(metrics_of_counts(confusion, _score_vector, seed))
    by_class = scores_of_vector(label_names, confusion.sum(1), scores)
    return Evaluation(
        split=split,
        rows=len(labels),
        labels=tuple(label_names),
        accuracy=share_with_interval(int(np.trace(confusion)), len(labels)),
        **by_class,
        log_loss=metrics.log_loss(probabilities, labels),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        one_label=_further_figures(
            probabilities, labels, label_names, next(scores), next(scores), temperature
        ),
    )


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


def _score_vector(confusion: Counts) -> Scores:
    agreements = [metrics.matthews_correlation(confusion), metrics.cohen_kappa(confusion)]
    return metrics.score_vector(metrics.class_scores(confusion), agreements)


def _further_figures(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    matthews: Metric,
    kappa: Metric,
    temperature: float,
) -> OneLabelFigures:
    """Compute what is not a function of the confusion matrix, and put it together."""
    rankings = ranking.rank_classes(probabilities, labels, tuple(label_names))
    confidence, right = confidence_of(probabilities, labels)
    return OneLabelFigures(
        matthews=matthews,
        kappa=kappa,
        brier=calibration.brier_score(probabilities, labels),
        roc_auc_macro=ranking.mean_of_known([entry.roc_auc for entry in rankings]),
        average_precision_macro=ranking.mean_of_known(
            [entry.average_precision for entry in rankings]
        ),
        ranking=rankings,
        top=ranking.top_accuracies(probabilities, labels),
        calibration=_calibration(probabilities, labels, temperature),
        coverage=accuracy_by_coverage(confidence, right),
    )


def _calibration(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], temperature: float
) -> calibration.Calibration:
    bins = calibration.reliability_bins(*confidence_of(probabilities, labels))
    before = probabilities
    if temperature != 1.0:
        before = calibration.at_temperature(probabilities, 1 / temperature).astype(np.float32)
    bins_before = calibration.reliability_bins(*confidence_of(before, labels))
    return calibration.Calibration(
        temperature=temperature,
        error=calibration.expected_calibration_error(bins),
        error_before=calibration.expected_calibration_error(bins_before),
        log_loss_before=metrics.log_loss(before, labels),
        reliability=bins,
        reliability_before=bins_before,
    )
