"""Every number of one model on one split where a text may have any number of labels.

A score without a denominator is 0, as everywhere here and in scikit-learn's `zero_division=0`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import DataError
from ranklet.evaluation import metrics
from ranklet.evaluation.intervals import (
    Counts,
    Metric,
    Scores,
    metrics_of_counts,
    share_with_interval,
)
from ranklet.evaluation.result import AVERAGE_SCORES, Evaluation, LabelSetFigures
from ranklet.evaluation.score_intervals import (
    LabelCounts,
    average_metrics,
    class_metrics,
    mean_of_shares,
)
from ranklet.problem import MultiLabel

_MICRO_SCORES = ("precision_micro", "recall_micro", "f1_micro")


def evaluate_label_sets(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    problem: MultiLabel,
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
) -> Evaluation:
    """Compute every number of an evaluation from the probabilities of one split.

    The exact match has Wilson's 95 % interval, and so have the scores of a label, which are made of
    shares; averages have that of 2,000 resamples of the rows and of what these cannot show (see
    `score_intervals`). The log-loss has none.

    Args:
        probabilities: (n, labels) float32, each label's for itself; n >= 1.
        labels: (n, labels) int64 of 0 and 1.
        problem: The thresholds.
        label_names: Names of the labels in the order of the columns.
        split: Name of the data, kept in the result.
        seed: Seed of the bootstrap.

    Raises:
        DataError: No rows, shapes that disagree, or probabilities that are not finite.
    """
    if labels.shape != (len(labels), len(label_names)):
        raise DataError(f"labels of shape {labels.shape} for {len(label_names)} names", split)
    metrics.require_predictions(probabilities, labels[:, 0], len(label_names), split)
    decided = problem.decide(probabilities)
    *averaged, wrong = _averages_with_intervals(labels.astype(bool), decided, seed)
    given = decided.sum(0, dtype=np.int64)
    counts = LabelCounts((labels * decided).sum(0), labels.sum(0), given)
    names = (*AVERAGE_SCORES, *_MICRO_SCORES)
    averages = average_metrics(counts, dict(zip(names, averaged, strict=True)), is_one_label=False)
    micro = {name: averages.pop(name) for name in _MICRO_SCORES}
    hits = int((decided == labels).all(1).sum())
    return Evaluation(
        split=split,
        rows=len(labels),
        labels=tuple(label_names),
        accuracy=share_with_interval(hits, len(labels)),
        **averages,
        classes=class_metrics(label_names, counts),
        log_loss=binary_log_loss(probabilities, labels),
        confusion=(),
        label_sets=LabelSetFigures(
            **micro,
            hamming_loss=mean_of_shares(wrong, (decided != labels).sum(0), len(labels)),
            thresholds=problem.thresholds,
            confusion=_confusions(labels, decided),
        ),
    )


def label_set_metrics(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], problem: MultiLabel
) -> dict[str, float]:
    """Compute what the training loop compares, without intervals.

    Args:
        probabilities: (n, labels) float32; n >= 1.
        labels: (n, labels) int64 of 0 and 1.
        problem: The thresholds.

    Returns:
        `accuracy` (exact match), `macro_precision`, `macro_recall` and `macro_f1` (shares) and
        `loss` (nats).
    """
    decided = problem.decide(probabilities)
    scores = metrics.scores_of_counts(
        (labels * decided).sum(0), labels.sum(0), decided.sum(0, dtype=np.int64)
    )
    return {
        "accuracy": float((decided == labels).all(1).mean()),
        **metrics.macro_scores(scores),
        "loss": binary_log_loss(probabilities, labels),
    }


def binary_log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Compute the mean negative log probability of every true answer, yes or no, in nats.

    Probabilities are clipped as in `metrics.log_loss`; NaN stays NaN.

    Args:
        probabilities: (n, labels) float32; n >= 1.
        labels: (n, labels) of 0 and 1.
    """
    yes = probabilities.astype(np.float64)
    return metrics.mean_negative_log(np.where(labels == 1, yes, 1 - yes))


def _confusions(
    labels: NDArray[np.int64], decided: NDArray[np.bool_]
) -> tuple[tuple[int, int, int, int], ...]:
    cells = 2 * labels + decided
    counts = [[int(count) for count in (cells == cell).sum(0)] for cell in range(4)]
    return tuple(zip(*counts, strict=True))


def _averages_with_intervals(
    labels: NDArray[np.bool_], decided: NDArray[np.bool_], seed: int
) -> list[Metric]:
    """Compute averages and the Hamming loss, with the intervals of resampling.

    Rows with the same labels and the same answer count as one kind of row: what is resampled is how
    many there are of each kind, as cells of a confusion matrix are elsewhere.
    """
    both = np.concatenate([labels, decided], axis=1)
    kinds, counts = np.unique(both, axis=0, return_counts=True)
    has, given = np.split(kinds, 2, axis=1)
    return metrics_of_counts(counts.astype(np.int64), _averages(has, given), seed)


def _averages(has: NDArray[np.bool_], given: NDArray[np.bool_]) -> Callable[[Counts], Scores]:
    """Return what maps counts (..., kinds) to (..., 9 averages + the Hamming loss).

    Args:
        has: (kinds, labels), the labels of each kind of row.
        given: (kinds, labels), its answer.
    """
    # float64 holds every count exactly, and matrix products of integers are slow.
    both, true, answered = (part.astype(np.float64) for part in (has & given, has, given))
    wrong = (has != given).sum(1).astype(np.float64)
    width = has.shape[1]

    def statistic(counts: Counts) -> Scores:
        rows = counts.astype(np.float64)
        hits, support, predicted = rows @ both, rows @ true, rows @ answered
        scores = metrics.scores_of_counts(hits, support, predicted)
        micro = metrics.scores_of_counts(hits.sum(-1), support.sum(-1), predicted.sum(-1))
        wrong_share = rows @ wrong / (rows.sum(-1) * width)
        further = [micro.precision, micro.recall, micro.f1, wrong_share]
        return metrics.average_vector(scores, further)

    return statistic
