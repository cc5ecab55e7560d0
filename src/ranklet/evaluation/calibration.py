"""Whether probabilities mean what they say, and the two numbers that mend them.

The confidence of a row is the probability of its predicted class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import Metric, share_with_interval

BINS = 15
# A temperature is not fitted that would leave less than this between logits on average.
FLATTEST = 0.01
# How far from 1 an exponent lies that is no surprise, in logarithms: those of three trainings lay
# between 1.1 and 2.4, those of logistic regressions between 0.7 and 1.
EXPONENT_SPREAD = 0.35
LARGEST_EXPONENT = 8.0


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of about the same confidence.

    Attributes:
        low: Their confidence is above this; in the first bin, at least.
        high: And at most this.
        rows: How many there are, at least 1.
        confidence: Mean confidence.
        accuracy: Share predicted right, with Wilson's interval.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: Metric


@dataclass(frozen=True)
class Calibration:
    """How well confidence and accuracy agree.

    Attributes:
        temperature: What the logits are divided by.
        error: Expected calibration error of the probabilities as they are.
        error_before: The same at temperature and exponent 1.
        log_loss_before: Mean negative log probability of the true labels at these, nats.
        reliability: The bins that hold rows, by confidence.
        reliability_before: The same at temperature and exponent 1.
        exponent: See `fit_scaling`.
    """

    temperature: float
    error: float
    error_before: float
    log_loss_before: float
    reliability: tuple[ReliabilityBin, ...]
    reliability_before: tuple[ReliabilityBin, ...]
    exponent: float = 1.0


@dataclass(frozen=True)
class Scaling:
    """What makes probabilities of logits, beside the softmax.

    Attributes:
        temperature: What distances of logits are divided by, above 0.
        exponent: The power that they are raised to then, above 0.
    """

    temperature: float = 1.0
    exponent: float = 1.0


def reliability_bins(
    confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Sort rows into 15 bins of equal width by their confidence; empty ones are left out.

    Args:
        confidence: (n,) probability of the predicted class, 0..1.
        right: (n,) whether it is the true one.
    """
    precise = confidence.astype(np.float64)
    places = np.clip(np.ceil(precise * BINS).astype(np.int64) - 1, 0, BINS - 1)
    rows = np.bincount(places, minlength=BINS)
    hits = np.bincount(places, weights=right, minlength=BINS)
    sums = np.bincount(places, weights=precise, minlength=BINS)
    return tuple(
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            rows=int(rows[place]),
            confidence=float(sums[place] / rows[place]),
            accuracy=share_with_interval(int(hits[place]), int(rows[place])),
        )
        for place in np.flatnonzero(rows).tolist()
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Compute the mean distance of confidence and accuracy over bins, weighted by their rows.

    It grows with few rows also where probabilities are right, since each bin's accuracy strays.
    Source: Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, equation 3, with their 15 bins of
    equal width. There is at least one bin.
    """
    total = sum(entry.rows for entry in bins)
    return sum(entry.rows * abs(entry.accuracy.value - entry.confidence) for entry in bins) / total


def error_by_chance(bins: Sequence[ReliabilityBin]) -> float:
    """Compute the expected calibration error that probabilities without any fault would have.

    It is that of rows which are right as often as they say, drawn at random: the sum over bins of
    the mean absolute deviation of a binomial number of right rows, in de Moivre's closed form
    (Diaconis & Zabell 1991, "Closed form summation for classical distributions", Statistical
    Science 6, 284-302). An error of about this size shows nothing.
    """
    total = sum(entry.rows for entry in bins)
    return sum(_mean_deviation(entry.rows, entry.confidence) for entry in bins) / total


def _mean_deviation(rows: int, share: float) -> float:
    """Return the mean distance of a binomial number from its mean."""
    if not 0 < share < 1:
        return 0.0
    least = math.floor(rows * share) + 1
    log_choices = math.lgamma(rows + 1) - math.lgamma(least + 1) - math.lgamma(rows - least + 1)
    log_probability = least * math.log(share) + (rows - least) * math.log1p(-share)
    return 2 * least * (1 - share) * math.exp(log_choices + log_probability)


def brier_score(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Compute the mean over rows of the squared errors of all probabilities, summed over classes.

    Brier's own convention, 0..2; halved it is, for two classes, the squared error of one of them.
    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
    Weather Review 78 (1950), 1-3.

    Args:
        probabilities: (n, classes), rows sum to 1; n >= 1.
        labels: (n,) class indices.
    """
    errors = probabilities.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1
    return float((errors**2).sum(1).mean())


def at_temperature(
    probabilities: NDArray[np.floating], temperature: float, exponent: float = 1.0
) -> NDArray[np.float64]:
    """Return the probabilities that the same logits give when scaled.

    What a temperature t and an exponent e did is undone by a temperature t^-e and an exponent 1/e.

    Args:
        probabilities: (n, classes), softmax of the logits.
        temperature: As in `Scaling`.
        exponent: As in `Scaling`.

    Returns:
        (n, classes) float64, rows sum to 1.
    """
    with np.errstate(divide="ignore"):  # of a softmax that is 0 in float32 the logarithm is -inf
        logs = np.log(probabilities.astype(np.float64))
    powers = np.exp(-(((logs.max(1, keepdims=True) - logs) / temperature) ** exponent))
    scaled: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return scaled


def fit_scaling(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Scaling:
    """Find the temperature and the exponent with the lowest log loss.

    Logits become -((largest logit - logit) / temperature) ^ exponent, which keeps their order, ties
    and so every label. At exponent 1 that is temperature scaling. A network trained to the end, or
    with smoothed labels, holds the margins of most texts at about one size: a text a little below
    it is far less sure than its margin says, which an exponent above 1 tells and no temperature can
    (of the order-preserving maps of Rahimi et al. 2020, arXiv:2003.06820, one with two numbers).
    The logarithm of the exponent has a normal prior around 0, so that few texts leave it near 1.

    Both stay at 1 where the logits hold nothing of the classes.

    Args:
        logits: (n, classes), of rows that the weights were not trained on.
        labels: (n,) class indices.
    """
    from scipy.optimize import minimize

    temperature = fit_temperature(logits, labels)
    if temperature == 1.0:
        return Scaling()
    distances = logits.astype(np.float64)
    distances = distances.max(1, keepdims=True) - distances
    unit = distances.sum() / np.count_nonzero(distances)
    with np.errstate(divide="ignore"):  # of no distance exp gives 0 again
        logs = np.log(distances / unit)
    target = _doubted(labels, distances.shape[1])

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Compute the loss of all rows with the prior, and its slope."""
        exponent = np.exp(point[1])
        energies = np.exp(point[0] + exponent * logs)
        weights = np.exp(-energies)
        sums = weights.sum(1, keepdims=True)
        pulls = (target - weights / sums) * energies
        turns = np.where(energies > 0, logs, 0) * pulls * exponent
        return (
            (target * energies).sum() + np.log(sums).sum() + (point[1] / EXPONENT_SPREAD) ** 2 / 2,
            np.array([pulls.sum(), turns.sum() + point[1] / EXPONENT_SPREAD**2]),
        )

    most = math.log(LARGEST_EXPONENT)
    start = np.array([math.log(unit / temperature), 0.0])
    bounds = [(start[0] - 10, start[0] + 10), (-most, most)]
    scale, log_exponent = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    exponent = math.exp(log_exponent)
    return Scaling(float(unit * math.exp(-scale / exponent)), exponent)


def _doubted(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Return the target of each row, (n, classes), if one row might have been wrong."""
    rows = len(labels)
    doubt = 1 / (rows + 2) / (classes - 1)
    target = np.full((rows, classes), doubt)
    target[np.arange(rows), labels] = 1 - doubt * (classes - 1)
    return target


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Find the temperature with the lowest log loss, of rows one of which might have been wrong.

    "Temperature scaling", Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, section 4.2. Where
    every row is right, surer is always better and there is no lowest loss. So the label of a row
    has the probability (n + 1) / (n + 2) of n rows, and the others share the rest: Platt 1999,
    "Probabilistic outputs for support vector machines and comparisons to regularized likelihood
    methods", section 2.2. Of rows that are all right the confidence becomes that.

    In the inverse of the temperature the loss is convex, so its only minimum is where its slope,
    the mean difference of the expected and the true logit, is 0. The temperature stays at 1 where
    it would make all classes alike, since the logits hold nothing of them.

    Args:
        logits: (n, classes), of rows that the weights were not trained on.
        labels: (n,) class indices.
    """
    from scipy.optimize import brentq

    distances = logits.astype(np.float64)
    distances -= distances.max(1, keepdims=True)
    true = (_doubted(labels, distances.shape[1]) * distances).sum(1)

    def slope(inverse: float) -> float:
        weights = np.exp(inverse * distances)
        expected = (weights * distances).sum(1) / weights.sum(1)
        return float((expected - true).mean())

    spread = -float(distances.mean())
    low = high = FLATTEST / spread if spread > 0 else 0.0
    if not slope(low) < 0:
        return 1.0
    while slope(high) < 0:  # it rises above 0, since what might be wrong costs ever more
        high *= 2
    return float(1 / brentq(slope, low, high))
