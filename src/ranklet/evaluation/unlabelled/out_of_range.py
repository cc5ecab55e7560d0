"""When an estimate of accuracy without labels is not to be believed: texts unlike any shifted text.

Of accuracy itself nothing can be known without labels. What can be seen is whether the texts lie
further from known ones than the texts that the estimate was fitted on, or further than such of the
same confidence, so that the same confidence may mean another accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 10
# Kinds that were not fitted on may lie so many times as far from the line as those that were.
SLACK = 1.5


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """What a classifier says of some texts.

    Attributes:
        probabilities: (n, classes) float64, rows sum to 1.
        remoteness: (n,) float64 distance of each text from the known ones, 0..2.
    """

    probabilities: NDArray[np.float64]
    remoteness: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PerturbedOutputs:
    """Known texts that were shifted on purpose.

    Attributes:
        kind: Kind of the shift; several strengths of it are of one kind.
        rows: (m,) int64 which of the known texts.
        answers: What the classifier says of them as they are now.
    """

    kind: str
    rows: NDArray[np.int64]
    answers: ModelOutputs


def remoteness(
    known: NDArray[np.float32],
    states: NDArray[np.float32],
    own: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Measure how far each text lies from known ones: the cosine distance to the tenth nearest.

    "Deep nearest neighbors", Sun et al. 2022, arXiv:2204.06507, section 3. That a class became more
    or less frequent does not show in it.

    Args:
        known: (k, hidden) what the last map of the classifier reads of the known texts; k >= 2.
        states: (n, hidden) the same of the texts.
        own: (n,) row of each text among the known ones, which does not count; None: none of them.

    Returns:
        (n,), 0..2.
    """
    likeness = _unit(states) @ _unit(known).T
    if own is not None:
        likeness[np.arange(len(own)), own] = -1.0
    neighbour = min(NEIGHBOURS, len(known) - 1)
    tenth: NDArray[np.float32] = np.partition(likeness, -neighbour, axis=1)[:, -neighbour]
    return 1.0 - tenth.astype(np.float64)


def find_doubt(
    known: ModelOutputs, shifted: Sequence[PerturbedOutputs], new: ModelOutputs
) -> str | None:
    """Say in words why new texts are beyond what shifted ones can teach; None: they are not.

    Args:
        known: Answers for texts with labels.
        shifted: Answers for some of them, shifted in several ways; one way at least.
        new: Answers for the new texts.
    """
    sure, home = known.probabilities.max(1), float(known.remoteness.mean())
    lost = np.array([(sure[s.rows] - s.answers.probabilities.max(1)).mean() for s in shifted])
    away = np.array([s.answers.remoteness.mean() for s in shifted]) - home
    far = float(new.remoteness.mean())
    if far > home + away.max():
        return (
            f"these texts lie further from the validation texts ({far:.2f}) than under every shift "
            f"the estimate was fitted on ({home + away.max():.2f}; unshifted {home:.2f}), and it "
            "may be far off; label some of these texts"
        )
    slope = float(lost @ away / (lost @ lost)) if lost.any() else 0.0
    usual = home + slope * float(sure.mean() - new.probabilities.max(1).mean())
    allowed = usual + SLACK * float((away - slope * lost).max())
    if far > allowed:
        return (
            f"these texts lie further from the validation texts ({far:.2f}) than shifted texts "
            f"that the classifier is as sure of ({allowed:.2f} at most): they seem to be of "
            "another kind, and the estimate may be far off; label some of them"
        )
    return None


def _unit(states: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    units: NDArray[np.float32] = states / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units
