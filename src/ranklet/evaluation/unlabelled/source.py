"""Whether new texts come of another source than those with labels: can they be told apart?

A classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545) on what the last map of
the classifier reads: a logistic regression tells new texts from known ones, judged on held-out
folds by its area under the ROC curve. It is the share of pairs, one known and one new text, in
which it picks the new one; other than a p it does not grow with the number of texts, so that many
texts of the same source raise no alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FEWEST_TEXTS = 10
FOLDS = 5
TOLD_APART = 0.75
FALSE_ALARMS = 0.01
# Of a logistic regression on vectors whose squares sum to 1 in the mean.
INVERSE_PENALTY = 10.0


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """What a classifier says of some texts.

    Attributes:
        probabilities: (n, classes) float64, rows sum to 1.
        states: (n, hidden) float32, what its last map reads.
    """

    probabilities: NDArray[np.float64]
    states: NDArray[np.float32]


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


@dataclass(frozen=True)
class Separation:
    """How well new texts are told from others.

    Attributes:
        auc: Area under the ROC curve on held-out folds; 0.5 is chance.
        by_chance: What chance alone exceeds once in a hundred times.
    """

    auc: float
    by_chance: float

    @property
    def is_clear(self) -> bool:
        """Whether they are told apart three times in four, and not by chance."""
        return self.auc > max(TOLD_APART, self.by_chance)


def separate(known: ModelOutputs, new: ModelOutputs, seed: int = 0) -> Separation | None:
    """Measure how well new texts are told from known ones of the same predicted labels.

    Known texts weigh as much as new ones have their predicted label: that a class became more
    frequent is no other source, and the estimate reckons with it.

    Args:
        known: Answers for texts with labels.
        new: Answers for new texts.
        seed: Draws the folds.

    Returns:
        None where fewer than 10 texts of either can be compared.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    weights = _weights(known.probabilities.argmax(1), new.probabilities.argmax(1))
    is_new = np.arange(len(weights)) >= len(known.states)
    states = np.concatenate([known.states, new.states])[weights > 0]
    weights, is_new = weights[weights > 0], is_new[weights > 0]
    if min(is_new.sum(), (~is_new).sum()) < FEWEST_TEXTS:
        return None
    features, scores = _features(states, ~is_new), np.empty(len(states))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(features, is_new):
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300)
        model.fit(features[train], is_new[train], sample_weight=weights[train])
        scores[test] = model.decision_function(features[test])
    auc = float(roc_auc_score(is_new, scores, sample_weight=weights))
    return Separation(auc, _by_chance(weights[~is_new], int(is_new.sum())))


def is_other_source(
    from_known: Separation,
    shifted: Sequence[PerturbedOutputs],
    new: ModelOutputs,
    seed: int = 0,
) -> bool:
    """Tell whether new texts are like neither the known texts nor a shift of them.

    Args:
        from_known: How well they are told from the known texts.
        shifted: Known texts shifted in several ways, which the estimate was fitted on.
        new: Answers for new texts.
        seed: Draws the folds.
    """
    if not from_known.is_clear:
        return False
    from_shifted = (separate(outputs.answers, new, seed) for outputs in shifted)
    return all(separation is None or separation.is_clear for separation in from_shifted)


def source_in_words(auc: float, differences: Sequence[str]) -> str:
    """Say that new texts seem to be of another source, how they differ, and what it means."""
    how = "; ".join(differences) or "neither length nor new words show how"
    return (
        f"these texts seem to be of another source: in {auc:.0%} of pairs a new text is told from "
        f"a validation text (50% is chance); {how}; the accuracy may lie "
        "outside the interval, so label some of them"
    )


def _weights(known: NDArray[np.integer], new: NDArray[np.integer]) -> NDArray[np.float64]:
    """Weigh known and new texts, in this order, so that both have the same predicted labels.

    Returns:
        Their mean is 1; a text with a label that only one side has weighs nothing.
    """
    classes = int(max(known.max(), new.max())) + 1
    before, after = (np.bincount(labels, minlength=classes) for labels in (known, new))
    shared = np.where(before > 0, after, 0)
    of_known = (shared / np.maximum(before, 1))[known]
    weights = np.concatenate([of_known, (shared > 0)[new].astype(np.float64)])
    return np.asarray(weights / max(weights.mean(), np.finfo(np.float64).tiny))


def _features(states: NDArray[np.float32], is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centre the directions of states; those of known texts have a mean square of 1."""
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    units = (states / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float64)
    centred = units - units[is_known].mean(0)
    spread = np.sqrt(np.square(centred[is_known]).sum(1).mean())
    return np.asarray(centred / spread if spread else centred)


def _by_chance(weights: NDArray[np.float64], new: int) -> float:
    """Bound the area under the curve of texts that do not differ, by its normal approximation.

    Weighted texts count as many as tell as much (Kish 1965, "Survey Sampling").
    Source: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18 (1947), 50-60.
    """
    known = weights.sum() ** 2 / np.square(weights).sum()
    deviation = np.sqrt((known + new + 1) / (12 * known * new))
    return float(0.5 + NormalDist().inv_cdf(1 - FALSE_ALARMS) * deviation)
