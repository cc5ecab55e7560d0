"""Whether probabilities mean what they say, and the one number that mends them.

The confidence of a row is the probability of its predicted class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import Metric, share_with_interval

BINS = 15
# A temperature is not fitted that would leave less than this between logits on average.
FLATTEST = 0.01


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
        error_before: The same at temperature 1.
        log_loss_before: Mean negative log probability of the true labels at temperature 1, nats.
        reliability: The bins that hold rows, by confidence.
        reliability_before: The same at temperature 1.
    """

    temperature: float
    error: float
    error_before: float
    log_loss_before: float
    reliability: tuple[ReliabilityBin, ...]
    reliability_before: tuple[ReliabilityBin, ...]


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


def at_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the probabilities that the same logits give when divided by a temperature.

    Args:
        probabilities: (n, classes), softmax of the logits.
        temperature: Above 0.

    Returns:
        (n, classes) float64, rows sum to 1.
    """
    with np.errstate(divide="ignore"):  # of a softmax that is 0 in float32 the logarithm is -inf
        logs = np.log(probabilities.astype(np.float64)) / temperature
    powers = np.exp(logs - logs.max(1, keepdims=True))
    scaled: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return scaled


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
    rows, classes = distances.shape
    doubt = 1 / (rows + 2) / (classes - 1)
    true = distances[np.arange(rows), labels] * (1 - doubt * classes) + doubt * distances.sum(1)

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
