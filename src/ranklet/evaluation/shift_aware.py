"""Expected accuracy under a shift, learnt from texts with labels that were shifted on purpose.

Every estimator of `unlabelled` says how much accuracy a shift costs, and each is wrong in its own
way. On shifted copies of the known texts the true loss is known too: a ridge regression, drawn to
the plain mean of the estimators, learns how much to trust each. How far it is off on kinds of shift
that it was not fitted on is what the interval tells, besides the chance of drawing these texts.

Combining estimators by regression over synthetic shifts is the idea of Deng & Zheng 2021,
arXiv:2007.02915; errors of what was left out as an interval are those of Papadopoulos et al. 2002
(normalised inductive conformal prediction), here over a few kinds, so without their guarantee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.unlabelled import (
    certainty,
    difference_of_confidences,
    thresholded_confidence,
)

CONFIDENCE = "mean confidence"
DIFFERENCE = "difference of confidences"
THRESHOLD = "average thresholded confidence"
ENTROPY = "average thresholded entropy"
COMBINED = (DIFFERENCE, THRESHOLD, ENTROPY)
NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class Answered:
    """What a classifier says of some texts.

    Attributes:
        probabilities: (n, classes) float64, rows sum to 1.
        states: (n, hidden) float32 of length 1 each, what its last map reads.
    """

    probabilities: NDArray[np.float64]
    states: NDArray[np.float32]

    def __getitem__(self, rows: NDArray[np.integer]) -> Answered:
        return Answered(self.probabilities[rows], self.states[rows])


def estimate_each(
    known: Answered, right: NDArray[np.bool_], new: Answered
) -> dict[str, float]:
    """Estimate the accuracy on new texts by each estimator, 0..1, by its name.

    Args:
        known: Answers for texts with known labels.
        right: (k,) whether each is right.
        new: Answers for the new texts.
    """
    confidence, other = known.probabilities.max(1), new.probabilities.max(1)
    return {
        CONFIDENCE: float(other.mean()),
        DIFFERENCE: difference_of_confidences(confidence, right, other),
        THRESHOLD: thresholded_confidence(confidence, right, other),
        ENTROPY: thresholded_confidence(
            certainty(known.probabilities), right, certainty(new.probabilities)
        ),
    }


def remoteness(
    known: NDArray[np.float32], states: NDArray[np.float32], own: NDArray[np.integer] | None = None
) -> float:
    """Measure how far texts lie from known ones: the mean cosine distance to the tenth nearest.

    "Deep nearest neighbors", Sun et al. 2022, arXiv:2204.06507, section 3. It does not see whether
    classes became more or less frequent.

    Args:
        known: (k, hidden) states of length 1; k >= 2.
        states: (n, hidden) states of length 1.
        own: (n,) row of each text among the known ones, which does not count; None: none of them.

    Returns:
        0..2.
    """
    likeness = states @ known.T
    if own is not None:
        likeness[np.arange(len(own)), own] = -1.0
    rank = min(NEIGHBOURS, len(known) - 1)
    tenth = np.partition(likeness, -rank, axis=1)[:, -rank]
    return float(1 - tenth.mean())
