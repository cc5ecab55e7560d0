"""Classification metrics as pure functions of arrays, in numpy.

Every metric here but the log-loss is a function of the confusion matrix, so the functions here take
one matrix or a stack of them: `(..., classes, classes)`, rows true, columns predicted. That is what
makes the bootstrap cheap. A class that nobody predicted has precision 0, one without rows has
recall 0, one with neither has F1 0, and all of them count in a macro average: scikit-learn's
`zero_division=0` with every class named in `labels`. scikit-learn itself is left out because its
import costs over a second and these run after every epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import DataError
from ranklet.evaluation.intervals import Counts, Scores

# A softmax in float32 can give exactly 0; scikit-learn clips by the same amount for float32.
_SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class ClassScores:
    """Scores of every class of one confusion matrix, or of a stack of them.

    Attributes:
        precision: (..., classes) float64, share of the predictions of a class that are right.
        recall: (..., classes) float64, share of the rows of a class that are found.
        f1: (..., classes) float64, harmonic mean of precision and recall.
        support: (..., classes) int64, rows whose true label is the class.
    """

    precision: Scores
    recall: Scores
    f1: Scores
    support: Counts


def confusion_matrix(
    labels: NDArray[np.integer], predictions: NDArray[np.integer], classes: int
) -> Counts:
    """Count the rows of every pair of true and predicted label.

    Args:
        labels: (n,) true class indices.
        predictions: (n,) predicted class indices.
        classes: Number of classes.

    Returns:
        (classes, classes) int64; `[i, j]` is the number of rows of class i predicted as class j.

    Raises:
        DataError: An index outside 0..classes-1.
    """
    for name, values in (("labels", labels), ("predictions", predictions)):
        _require_indices(name, values, classes)
    cells = labels.astype(np.int64) * classes + predictions
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: Counts) -> Scores:
    """Compute the share of rows predicted right, (...) float64; 0 for a matrix without rows."""
    return _ratio(_diagonal(confusion).sum(-1), confusion.sum((-2, -1)))


def class_scores(confusion: Counts) -> ClassScores:
    """Compute precision, recall, F1 and support of every class; 0 where a denominator is 0."""
    return scores_of_counts(_diagonal(confusion), confusion.sum(-1), confusion.sum(-2))


def scores_of_counts(
    hits: NDArray[Any], support: NDArray[Any], predicted: NDArray[Any]
) -> ClassScores:
    """Compute precision, recall and F1 from counts, element by element.

    Args:
        hits: Rows that have a label and were given it.
        support: Rows that have it.
        predicted: Rows that were given it.

    Returns:
        Arrays of the same shape; 0 where a denominator is 0.
    """
    return ClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
    )


def macro_average(scores: Scores) -> Scores:
    """Average (..., classes) scores with equal weight for every class."""
    return np.asarray(scores.mean(-1))


def macro_scores(scores: ClassScores) -> dict[str, float]:
    """Average precision, recall and F1 of all classes with equal weight, by name."""
    return {
        f"macro_{name}": float(macro_average(getattr(scores, name)))
        for name in ("precision", "recall", "f1")
    }


def weighted_average(scores: Scores, support: NDArray[Any]) -> Scores:
    """Average (..., classes) scores, each class weighted by its rows; 0 without any row."""
    return _ratio((scores * support).sum(-1), support.sum(-1))


def average_vector(scores: ClassScores, further: Sequence[Scores] = ()) -> Scores:
    """Lay averages out as (..., 6 + further ones): macro before weighted."""
    by_class = (scores.precision, scores.recall, scores.f1)
    macro = [macro_average(values) for values in by_class]
    weighted = [weighted_average(values, scores.support) for values in by_class]
    return np.stack([*macro, *weighted, *further], axis=-1)


def matthews_correlation(confusion: Counts) -> Scores:
    """Compute the correlation of true and predicted classes.

    1 is agreement, 0 what chance gives, also of predictions that are all alike.
    Source: J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28 (2004), 367-374.

    Returns:
        (...) float64, -1..1; 0 where the true or the predicted classes are all alike.
    """
    hits, rows, true, predicted = _margins(confusion)
    spread = np.sqrt(rows**2 - (true**2).sum(-1)) * np.sqrt(rows**2 - (predicted**2).sum(-1))
    return _ratio(hits * rows - (true * predicted).sum(-1), spread)


def cohen_kappa(confusion: Counts) -> Scores:
    """Compute the agreement of true and predicted classes beyond that of chance.

    Source: J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20 (1960), 37-46.

    Returns:
        (...) float64, -1..1; 0 where all rows are of one class and predicted as it.
    """
    hits, rows, true, predicted = _margins(confusion)
    by_chance = (true * predicted).sum(-1)
    return _ratio(hits * rows - by_chance, rows**2 - by_chance)


def log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Compute the mean negative log probability of the true labels, in nats.

    Probabilities are clipped to [eps, 1 - eps] with float32's eps (1.2e-7), so that one saturated
    softmax costs 15.9 and not infinity. NaN stays NaN.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.
    """
    return mean_negative_log(probabilities[np.arange(len(labels)), labels])


def mean_negative_log(probabilities: NDArray[np.floating]) -> float:
    """Average the negative logarithms, in nats, of probabilities clipped as in `log_loss`."""
    true = probabilities.astype(np.float64)
    clipped = np.clip(true, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    return float(-np.log(clipped).mean())


def require_predictions(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: int, source: str
) -> None:
    """Check that probabilities can be evaluated against labels.

    Args:
        probabilities: Wanted as (n, classes), finite.
        labels: Wanted as (n,), n >= 1.
        classes: Number of label names.
        source: Name of the data, for the message.

    Raises:
        DataError: No rows, shapes that disagree, or a probability that is not finite.
    """
    if len(labels) == 0:
        raise DataError("no rows to evaluate; at least 1 is needed", source)
    if labels.ndim != 1 or probabilities.shape != (len(labels), classes):
        raise DataError(
            f"probabilities of shape {probabilities.shape} and labels of shape {labels.shape} do"
            f" not fit {classes} label names; shapes (n, {classes}) and (n,) are needed",
            source,
        )
    broken = np.flatnonzero(~np.isfinite(probabilities).all(1))
    if len(broken):
        raise DataError(
            f"probabilities of {len(broken)} rows (first: row {broken[0]}) are not finite;"
            " the model is broken, train again or load another run",
            source,
        )


def _diagonal(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _margins(confusion: Counts) -> tuple[Scores, Scores, Scores, Scores]:
    """Return hits and rows, (...), and rows by true and by predicted class, (..., classes)."""
    # In float64, since squares of counts grow beyond int64.
    counts = np.asarray(confusion, dtype=np.float64)
    true, predicted = counts.sum(-1), counts.sum(-2)
    return np.trace(counts, axis1=-2, axis2=-1), true.sum(-1), true, predicted


def _ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Scores:
    """Divide element by element, 0 where the denominator is 0."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)


def _require_indices(name: str, values: NDArray[np.integer], classes: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values >= classes))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"class index {int(values[row])} at row {row} of {len(values)} is outside"
            f" 0..{classes - 1}; encode it with the labels of the model",
            name,
        )
