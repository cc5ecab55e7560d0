"""Expected accuracy under a shift, learnt from texts with labels that were shifted on purpose.

What a classifier says of texts sinks with its accuracy, but not as fast: a loss of one point of
confidence is a loss of two points of accuracy here and of three there. On shifted copies of texts
with known labels the true loss is known, and a ridge regression without an intercept learns the
rate, so that texts on which nothing sinks are expected to be as accurate as the known ones. How far
it is off on kinds of shift that it was not fitted on is what the interval tells, besides chance.

Learning accuracy from synthetic shifts is the idea of Deng & Zheng 2021, arXiv:2007.02915. Scaled
errors of what was left out make an interval in normalised conformal prediction (Papadopoulos et al.
2002, doi:10.1007/3-540-36755-1_29); here there are too few kinds for its guarantee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.intervals import wilson_interval
from ranklet.evaluation.unlabelled.estimators import (
    above_threshold,
    certainty,
    difference_of_confidences,
)
from ranklet.evaluation.unlabelled.source import ModelOutputs, PerturbedOutputs

RESAMPLES = 20
CLASSES = "classes"
# Of the class shares of a resample: 5 gives shares of a quarter a standard deviation of 9 points.
CONCENTRATION = 5.0
PENALTY = 0.01
# An error counts by its share of the loss, of 5 points at least: below, errors are the chance of
# few texts, and would decide how wide the interval of a large loss is.
SMALLEST_LOSS = 0.05


@dataclass(frozen=True)
class ExpectedAccuracy:
    """What is expected of new texts.

    Attributes:
        accuracy: 0..1.
        interval: (low, high), 95 %.
        estimators: What each estimator says by itself, 0..1, by its name.
        warning: Why it may not hold, in words; None where nothing speaks against it.
    """

    accuracy: float
    interval: tuple[float, float]
    estimators: Mapping[str, float]
    warning: str | None


def expect(
    known: ModelOutputs,
    labels: NDArray[np.int64],
    shifted: Sequence[PerturbedOutputs],
    new: NDArray[np.float64],
    seed: int = 0,
) -> ExpectedAccuracy:
    """Estimate the accuracy on new texts.

    Args:
        known: Answers for texts with labels that the classifier was not trained on; 2 at least.
        labels: (k,) their class indices.
        shifted: Answers for some of them, shifted in several ways; one way at least.
        new: (n, classes) probabilities of the new texts.
        seed: Draws resamples.
    """
    right = known.probabilities.argmax(1) == labels
    own = scores(known.probabilities, right, known.probabilities)
    new_scores = scores(known.probabilities, right, new)
    falls = [Fall(CLASSES, own.mean(0) - own, right.mean() - right, labels)]
    for outputs in shifted:
        probabilities, true = outputs.answers.probabilities, labels[outputs.rows]
        fallen = own[outputs.rows] - scores(known.probabilities, right, probabilities)
        lost = right[outputs.rows] * 1.0 - (probabilities.argmax(1) == true)
        falls.append(Fall(outputs.kind, fallen, lost, true))
    samples = resample(falls, np.random.default_rng(seed))
    loss, by_shift = expected_loss(own, new_scores, fit_rates(samples.scores, samples.accuracy))
    accuracy = float(np.clip(right.mean() - loss, 0.0, 1.0))
    half = float(
        np.linalg.norm(
            [
                _half_width(float(right.mean()), len(right)),
                _half_width(accuracy, len(new_scores)),
                by_shift * max(abs(loss), SMALLEST_LOSS) * relative_error(samples),
            ]
        )
    )
    lowest = float(right.mean()) - max(float(fall.accuracy.mean()) for fall in falls)
    return ExpectedAccuracy(
        accuracy,
        (max(accuracy - half, 0.0), min(accuracy + half, 1.0)),
        _by_themselves(own, right, new_scores),
        _extrapolation(accuracy, lowest),
    )


@dataclass(frozen=True, eq=False)
class Fall:
    """How far scores and accuracy of texts fell.

    Attributes:
        kind: What made them fall.
        scores: (m, scores) float64 fall of each score of each text.
        accuracy: (m,) float64 1 where a text was labelled right and is no more, -1 the other way.
        labels: (m,) int64 class indices.
    """

    kind: str
    scores: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Mean falls of resampled texts.

    Attributes:
        kinds: (s,) kind of each sample.
        scores: (s, scores) float64.
        accuracy: (s,) float64.
    """

    kinds: NDArray[np.str_]
    scores: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def scores(
    known: NDArray[np.float64], right: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score texts by confidence, by certainty, and by whether each is above its threshold.

    Args:
        known: (k, classes) probabilities of the known texts.
        right: (k,) whether the most probable label of each is the true one.
        probabilities: (n, classes) of the texts to score.

    Returns:
        (n, 4), higher where surer.
    """
    pairs = (
        (known.max(1), probabilities.max(1)),
        (certainty(known), certainty(probabilities)),
    )
    above = [above_threshold(old, right, new) for old, new in pairs]
    return np.stack([*(new for _, new in pairs), *above], axis=1)


def resample(falls: Sequence[Fall], generator: np.random.Generator) -> Samples:
    """Draw texts of each fall with replacement, classes in other shares each time."""
    kinds, means, lost = list[str](), list[NDArray[np.float64]](), list[float]()
    for fall in falls:
        classes = int(fall.labels.max()) + 1
        for _ in range(RESAMPLES):
            weights = generator.dirichlet(np.full(classes, CONCENTRATION))[fall.labels]
            rows = generator.choice(len(weights), len(weights), p=weights / weights.sum())
            kinds.append(fall.kind)
            means.append(fall.scores[rows].mean(0))
            lost.append(float(fall.accuracy[rows].mean()))
    return Samples(np.array(kinds), np.array(means), np.array(lost))


def fit_rates(fallen: NDArray[np.float64], lost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit how much accuracy goes with a fall of each score, by ridge regression through 0.

    Errors count by their share of the loss, or the strongest shift alone would decide.

    Args:
        fallen: (s, scores) mean fall of each score.
        lost: (s,) loss of accuracy.

    Returns:
        (scores,) points of accuracy for a point of score.
    """
    weights = 1 / np.maximum(np.abs(lost), SMALLEST_LOSS)
    weighted = fallen * weights[:, None]
    scale = np.sqrt((weighted**2).mean(0))
    scale[scale == 0] = 1.0
    scaled = weighted / scale
    squares = scaled.T @ scaled + PENALTY * len(scaled) * np.eye(scaled.shape[1])
    rates: NDArray[np.float64] = np.linalg.solve(squares, scaled.T @ (lost * weights)) / scale
    return rates


def relative_error(samples: Samples) -> float:
    """Return what 95 % of the errors stay below, as a share of the loss that was expected.

    Each kind of shift is judged by a fit to the others.
    """
    errors = list[NDArray[np.float64]]()
    for kind in np.unique(samples.kinds):
        others = samples.kinds != kind
        rates = fit_rates(samples.scores[others], samples.accuracy[others])
        loss = samples.scores[~others] @ rates
        error = np.abs(samples.accuracy[~others] - loss)
        errors.append(error / np.maximum(np.abs(loss), SMALLEST_LOSS))
    return float(np.quantile(np.concatenate(errors), 0.95))


def expected_loss(
    own: NDArray[np.float64], new_scores: NDArray[np.float64], rates: NDArray[np.float64]
) -> tuple[float, float]:
    """Estimate the loss of accuracy from known to new texts.

    What may be the chance of drawing these texts counts as confidence lost; only what is beyond it
    counts at the rates of shifts, which would double every chance (James & Stein 1961's positive
    part, for one figure).

    Args:
        own: (k, scores) of the known texts.
        new_scores: (n, scores) of the new texts.
        rates: (scores,) as `fit_rates` finds them.

    Returns:
        The loss, and the share of it that is a shift's, 0..1.
    """
    fallen = own.mean(0) - new_scores.mean(0)
    shift = float(fallen @ rates)
    variance = (own @ rates).var() / len(own) + (new_scores @ rates).var() / len(new_scores)
    beyond = max(0.0, 1.0 - variance / shift**2) if shift else 0.0
    return float(beyond * shift + (1 - beyond) * fallen[0]), float(beyond)


def _half_width(accuracy: float, rows: int) -> float:
    low, high = wilson_interval(round(accuracy * rows), rows)
    return (high - low) / 2


def _by_themselves(
    own: NDArray[np.float64], right: NDArray[np.bool_], new_scores: NDArray[np.float64]
) -> dict[str, float]:
    return {
        "mean confidence": float(new_scores[:, 0].mean()),
        "difference of confidences": difference_of_confidences(own[:, 0], right, new_scores[:, 0]),
        "thresholded confidence": float(new_scores[:, 2].mean()),
        "thresholded entropy": float(new_scores[:, 3].mean()),
    }


def _extrapolation(accuracy: float, lowest: float) -> str | None:
    if accuracy >= lowest:
        return None
    return (
        f"the expected accuracy is below that of every shift the estimate was fitted on "
        f"({lowest:.1%} at the lowest); label some of these texts"
    )
