"""How often a label is a slip of whoever gave it, and which labels are likely to be one.

A text has a true class, and its label is that class, or, at some rate, another one near to it. A
classifier that doubts a label does not tell which of both it is: the text may be hard. What tells
is how sure the classifier is: hard texts become rare as it grows surer, slips do not. That is the
lapse rate of psychometric functions (Wichmann & Hill 2001, Perception & Psychophysics 63), here by
maximum likelihood, with the true class unknown as in Dawid & Skene 1979 (Applied Statistics 28).

Several views of a text are pooled by their logarithms (Genest & Zidek 1986, Statistical Science 1),
with weights by likelihood. Below, `labels` are (rows,) int64, the given classes, and views (rows,
classes) float64 probabilities, out of sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARPNESS = 3.0
"""Sum of the weights of the views.

Views have strong penalties and so are less sure than right: on clean labels, one, two or three of
them are calibrated at 2.7 to 3.1. Were it free, slips on hard texts would pass for hardness.
"""

LEAST = 1e-3
"""No view is surer than this: a count of neighbours may be 0."""

CLASSES = 100
"""Most probable classes of a text that are looked at, the given one among them."""

FEWEST_SLIPS, MOST_SLIPS = 1e-3, 0.9


@dataclass(frozen=True, eq=False)
class Slips:
    """What is known of the slips among labels.

    Attributes:
        rate: Share of the labels that are slips.
        error: Standard error of the rate, the weights of the views being known.
        wrong: (rows,) float64 probability that the label is a slip.
        likely: (rows,) int64 most probable other class.
    """

    rate: float
    error: float
    wrong: Floats
    likely: NDArray[np.int64]


def fit_slips(
    labels: NDArray[np.int64],
    views: Sequence[Floats],
    rate: float | None = None,
    sharpness: float | None = SHARPNESS,
) -> Slips:
    """Fit the rate of slips and the weights of the views.

    Args:
        labels: Given classes.
        views: At least one.
        rate: Where it is known from elsewhere.
        sharpness: Sum of the weights; None: by likelihood too.
    """
    from scipy.optimize import minimize

    mean = np.mean(views, axis=0)
    classes = _classes_looked_at(labels, mean)
    evidence = np.stack(
        [np.log(np.maximum(np.take_along_axis(view, classes, 1), LEAST)) for view in views]
    )
    slip = _slips_to_given(np.take_along_axis(mean, classes, 1))
    count = len(views)
    bounds = [(-4.0, 4.0)] * count + [(np.log(FEWEST_SLIPS), np.log(MOST_SLIPS))]
    start = np.array([0.0] * count + [np.log(0.1)])
    if sharpness is not None:
        bounds[0] = (0.0, 0.0)  # weights are shares of their sum
    if rate is not None:
        start[-1] = np.log(np.clip(rate, FEWEST_SLIPS, MOST_SLIPS))
        bounds[-1] = (start[-1], start[-1])
    best = minimize(
        lambda values: _loss(values, evidence, slip, sharpness),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
    )
    weights, fitted = _weights(best.x[:-1], sharpness), float(np.exp(best.x[-1]))
    pooled = _pooled(weights, evidence)
    joint = pooled * _chances(fitted, slip)
    given = joint.sum(axis=1)
    slope = ((slip * pooled).sum(axis=1) - pooled[:, 0]) / given
    return Slips(
        rate=fitted,
        error=float(np.square(slope).sum() ** -0.5),
        wrong=1 - joint[:, 0] / given,
        likely=np.take_along_axis(classes, 1 + joint[:, 1:].argmax(1, keepdims=True), 1)[:, 0],
    )


def _classes_looked_at(labels: NDArray[np.int64], mean: Floats) -> NDArray[np.int64]:
    """Return (rows, classes) int64: the given class, then the most probable others."""
    others = mean.copy()
    np.put_along_axis(others, labels[:, None], np.inf, axis=1)
    return np.argsort(-others, axis=1, kind="stable")[:, :CLASSES]


def _slips_to_given(mean: Floats) -> Floats:
    """Return (rows, classes): how often a slip of a text of this class gives the given one.

    Slips go to near classes, by the mean of the views; the given class is the first column.
    """
    mean = np.minimum(mean, 1 - LEAST)
    slip = mean[:, :1] / (1 - mean)
    slip[:, 0] = 0.0
    return slip


def _weights(values: Floats, sharpness: float | None) -> Floats:
    weights: Floats = np.exp(values)
    if sharpness is not None:
        np.multiply(weights, sharpness / weights.sum(), out=weights)
    return weights


def _pooled(weights: Floats, evidence: Floats) -> Floats:
    logits = np.tensordot(weights, evidence, 1)
    pooled: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    pooled /= pooled.sum(axis=1, keepdims=True)
    return pooled


def _chances(rate: float, slip: Floats) -> Floats:
    """Return (rows, classes): how likely the given label is, were this the true class."""
    chances: Floats = rate * slip
    chances[:, 0] = 1 - rate
    return chances


def _loss(
    values: Floats, evidence: Floats, slip: Floats, sharpness: float | None
) -> tuple[float, Floats]:
    """Return the mean negative log-likelihood of the given labels, and its gradient."""
    weights, rate = _weights(values[:-1], sharpness), float(np.exp(values[-1]))
    pooled = _pooled(weights, evidence)
    joint = pooled * _chances(rate, slip)
    given = np.maximum(joint.sum(axis=1), 1e-12)
    surplus = joint / given[:, None] - pooled
    by_weight = weights * np.einsum("vrc,rc->v", evidence, surplus)
    if sharpness is not None:
        by_weight -= weights / sharpness * by_weight.sum()
    by_rate = rate * (((slip * pooled).sum(axis=1) - pooled[:, 0]) / given).sum()
    return -float(np.log(given).mean()), -np.append(by_weight, by_rate) / len(given)
