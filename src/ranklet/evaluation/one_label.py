"""What there is besides where a text has one label: agreement, ranking, calibration, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.calibration import (
    Calibration,
    at_temperature,
    brier_score,
    expected_calibration_error,
    reliability_bins,
)
from ranklet.evaluation.metrics import Metric, log_loss
from ranklet.evaluation.ranking import (
    ClassRanking,
    TopAccuracy,
    mean_of_known,
    rank_classes,
    top_accuracies,
)
from ranklet.evaluation.selective import Coverage, accuracy_by_coverage


@dataclass(frozen=True)
class OneLabelFigures:
    """What there is besides where a text has one label.

    Micro precision, recall and F1 are not among it: all three are the accuracy then.

    Attributes:
        matthews: Correlation of true and predicted classes, -1..1, with a bootstrap interval.
        kappa: Agreement beyond chance (Cohen's kappa), -1..1, with a bootstrap interval.
        brier: Mean squared error of the probabilities, summed over classes, 0..2; no interval.
        roc_auc_macro: Mean of the classes' ROC-AUC, each against the rest, over those that have it;
            None where none has; no interval.
        average_precision_macro: The same of their average precision.
        ranking: Both for each class, in the order of the logits.
        top: Top-2 and top-3 accuracy, where there are more classes.
        calibration: Expected calibration error, reliability, temperature.
        coverage: Accuracy where only the surest rows are answered.
    """

    matthews: Metric
    kappa: Metric
    brier: float
    roc_auc_macro: float | None
    average_precision_macro: float | None
    ranking: tuple[ClassRanking, ...]
    top: tuple[TopAccuracy, ...]
    calibration: Calibration
    coverage: tuple[Coverage, ...]


def one_label_figures(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    matthews: Metric,
    kappa: Metric,
    temperature: float,
) -> OneLabelFigures:
    """Compute what is not a function of the confusion matrix, and put it together.

    Args:
        probabilities: (n, classes) float32, finite, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.
        label_names: Names of the classes in the order of the columns.
        matthews: From the confusion matrix.
        kappa: From the confusion matrix.
        temperature: What the logits behind the probabilities were divided by.
    """
    ranking = rank_classes(probabilities, labels, tuple(label_names))
    confidence, right = confidence_of(probabilities, labels)
    return OneLabelFigures(
        matthews=matthews,
        kappa=kappa,
        brier=brier_score(probabilities, labels),
        roc_auc_macro=mean_of_known([each.roc_auc for each in ranking]),
        average_precision_macro=mean_of_known([each.average_precision for each in ranking]),
        ranking=ranking,
        top=top_accuracies(probabilities, labels),
        calibration=_calibration(probabilities, labels, temperature),
        coverage=accuracy_by_coverage(confidence, right),
    )


def confidence_of(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the probability of each row's predicted class, and whether it is the true one."""
    return probabilities.max(1), probabilities.argmax(1) == labels


def _calibration(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], temperature: float
) -> Calibration:
    bins = reliability_bins(*confidence_of(probabilities, labels))
    before = probabilities
    if temperature != 1.0:
        before = at_temperature(probabilities, 1 / temperature).astype(np.float32)
    bins_before = reliability_bins(*confidence_of(before, labels))
    return Calibration(
        temperature=temperature,
        error=expected_calibration_error(bins),
        error_before=expected_calibration_error(bins_before),
        log_loss_before=log_loss(before, labels),
        reliability=bins,
        reliability_before=bins_before,
    )
