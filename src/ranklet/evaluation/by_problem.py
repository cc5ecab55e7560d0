"""What is computed from probabilities, by what an answer is: one label a text, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.label_sets import evaluate_label_sets, label_set_metrics
from ranklet.evaluation.result import Evaluation, evaluate_predictions, validation_metrics
from ranklet.evaluation.thresholds import tune_thresholds
from ranklet.problem import Problem, SingleLabel


def evaluate_answers(
    problem: Problem,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
) -> Evaluation:
    """Compute every number of an evaluation; arguments and errors as of what it calls."""
    if isinstance(problem, SingleLabel):
        return evaluate_predictions(probabilities, labels, label_names, split, seed)
    return evaluate_label_sets(probabilities, labels, problem, label_names, split, seed)


def answer_metrics(
    problem: Problem, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Compute what the training loop compares, at thresholds tuned on the same rows.

    These are the thresholds that the model would be saved with, so the figures of the best moment
    are those of the finished run on validation.
    """
    if isinstance(problem, SingleLabel):
        return validation_metrics(probabilities, labels)
    return label_set_metrics(
        probabilities, labels, replace(problem, thresholds=tune_thresholds(probabilities, labels))
    )


def tuned(
    problem: Problem, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> Problem:
    """Return the problem with thresholds tuned on validation; it has none with one label a text."""
    if isinstance(problem, SingleLabel):
        return problem
    return replace(problem, thresholds=tune_thresholds(probabilities, labels))
