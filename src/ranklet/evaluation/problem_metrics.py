"""What is computed from probabilities, by what an answer is: one label a text, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.calibration import Scaling, fit_scaling
from ranklet.evaluation.curves import Curves, confidence_bins, ranking_curves, selective_curve
from ranklet.evaluation.label_sets import evaluate_label_sets, label_set_metrics
from ranklet.evaluation.one_label import evaluate_one_label, one_label_metrics
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.selective import confidence_of
from ranklet.evaluation.thresholds import tune_thresholds
from ranklet.labels import Label
from ranklet.problem import Problem, SingleLabel

if TYPE_CHECKING:
    from torch import Tensor


def evaluate_probabilities(
    problem: Problem,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
) -> Evaluation:
    """Compute every number of an evaluation; arguments and errors as of what it calls."""
    if isinstance(problem, SingleLabel):
        return evaluate_one_label(
            probabilities,
            labels,
            label_names,
            split,
            seed,
            Scaling(problem.temperature, problem.exponent),
        )
    return evaluate_label_sets(probabilities, labels, problem, label_names, split, seed)


def validation_metrics(
    problem: Problem, logits: Tensor, labels: NDArray[np.int64]
) -> dict[str, float]:
    """Compute what the training loop compares, at thresholds tuned on the same rows.

    These are the thresholds that the model would be saved with, so the figures of the best moment
    are those of the finished run on validation.

    Args:
        problem: Whether a text has one label or any number of them.
        logits: (texts, classes) float32, on the CPU.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
    """
    probabilities = problem.probabilities(logits).numpy()
    if isinstance(problem, SingleLabel):
        return one_label_metrics(probabilities, labels)
    return label_set_metrics(
        probabilities, labels, replace(problem, thresholds=tune_thresholds(probabilities, labels))
    )


def tune(problem: Problem, logits: Tensor, labels: NDArray[np.int64]) -> Problem:
    """Set temperature and exponent, or the thresholds, that suit validation best.

    Args:
        problem: Whether a text has one label or any number of them.
        logits: (texts, classes) float32 of validation, on the CPU.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.

    Returns:
        The problem with them.
    """
    if isinstance(problem, SingleLabel):
        return replace(problem, **asdict(fit_scaling(logits.numpy(), labels)))
    return replace(
        problem, thresholds=tune_thresholds(problem.probabilities(logits).numpy(), labels)
    )


def curves_of_probabilities(
    problem: Problem,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
) -> Curves:
    """Compute the points of every curve; arguments as of what `evaluate_probabilities` calls."""
    if not isinstance(problem, SingleLabel):
        return ranking_curves(probabilities, labels.astype(bool), label_names)
    is_true = labels[:, None] == np.arange(len(label_names))
    confidence, right = confidence_of(probabilities, labels)
    return replace(
        ranking_curves(probabilities, is_true, label_names),
        coverage=selective_curve(confidence, right),
        confidence=confidence_bins(confidence, right),
    )


def is_correct(
    problem: Problem, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which texts, (texts,), have their label, or all their labels and no other."""
    if isinstance(problem, SingleLabel):
        right: NDArray[np.bool_] = probabilities.argmax(1) == labels
        return right
    return np.asarray((problem.decide(probabilities) == labels).all(1))


def label_names_of(labels: NDArray[np.int64], names: Sequence[str]) -> list[Label]:
    """Return encoded labels by name: one a text, or a tuple of them."""
    if labels.ndim == 1:
        return [names[index] for index in labels.tolist()]
    return [tuple(names[index] for index in np.flatnonzero(row).tolist()) for row in labels]
