"""Labels that are likely to be missing or superfluous, where a text may have any number of them.

Each label is judged for itself, one against the rest. As in `label_slips`, a text truly has a label
or not, and whoever labelled it missed a true one at one rate, or gave one too many at another; both
rates are common to all labels. A pool of views, weighted by likelihood, adds what each says beyond
how frequent the label is.

Below, `given` is (rows, labels) of 0 and 1, and views (rows, labels) float64 probabilities, out of
sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sets = NDArray[np.int64]

SKILL = 0.05
"""A view must explain so much of the variance of a label beyond how frequent it is."""

# Neither nearly never nor more often than not.
RATES = (1e-4, 0.5)
WEIGHTS = (0.05, 5.0)
LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class SetErrors:
    """What is likely to be wrong with sets of labels.

    Attributes:
        wrong: (rows, labels) float64 probability that presence or absence is wrong; 0 where a label
            was not judged.
        missing: Share of the true labels that were not given.
        superfluous: Share of the given labels that are not true.
    """

    wrong: Floats
    missing: float
    superfluous: float


def known_labels(given: Sets, view: Floats) -> NDArray[np.bool_]:
    """Tell of which labels a view says clearly more than how frequent each is, (labels,).

    By the Brier score (one-sided, 95 %).
    """
    frequency = given.mean(axis=0)
    better = np.square(given - frequency) - np.square(given - view)
    lowest = better.mean(axis=0) - 1.645 * better.std(axis=0) / len(given) ** 0.5
    known: NDArray[np.bool_] = lowest > SKILL * frequency * (1 - frequency)
    return known


def find_set_errors(given: Sets, views: Sequence[Floats]) -> SetErrors:
    """Judge the presence of every label.

    Args:
        given: Labels that the views know.
        views: At least one.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    prior = logit(np.clip(given.mean(axis=0), LEAST, 1 - LEAST))
    evidence = np.stack([logit(np.clip(view, LEAST, 1 - LEAST)) - prior for view in views])

    def cells(values: Floats) -> tuple[Floats, Floats]:
        """Return how likely each given presence or absence is, being right and being wrong."""
        missed, added = np.exp(values[-2:])
        present = expit(prior + np.tensordot(np.exp(values[:-2]), evidence, 1))
        right = np.where(given, present * (1 - missed), (1 - present) * (1 - added))
        wrong = np.where(given, (1 - present) * added, present * missed)
        return right, wrong

    best = minimize(
        lambda values: -np.log(np.maximum(sum(cells(values)), 1e-12)).mean(),
        np.log([1 / len(views)] * len(views) + [0.05, 0.01]),
        method="L-BFGS-B",
        bounds=[tuple(np.log(WEIGHTS))] * len(views) + [tuple(np.log(RATES))] * 2,
    )
    right, wrong = cells(best.x)
    doubt = wrong / np.maximum(right + wrong, 1e-12)
    is_given = given.astype(bool)
    lacking, kept = doubt[~is_given].sum(), (1 - doubt[is_given]).sum()
    return SetErrors(
        wrong=doubt,
        missing=float(lacking / max(lacking + kept, 1e-12)),
        superfluous=float(doubt[is_given].mean()) if is_given.any() else 0.0,
    )
