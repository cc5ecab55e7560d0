"""How many texts without labels are labelled right, judged by what a classifier says of them.

Each estimator compares the new texts with texts whose labels are known and which the classifier was
not trained on, and is exact where both are the same texts. None knows what a shift did to the
meaning of the texts: all read it off confidence.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray


def above_threshold(
    known: NDArray[np.floating], right: NDArray[np.bool_], new: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Tell which texts score above the threshold that as many known texts exceed as are right.

    "Average thresholded confidence", Garg et al. 2022, arXiv:2201.04234, section 4, equations 1 and
    2; the mean is their estimate of accuracy, and on the known texts themselves it is exact. A text
    at the threshold itself counts in part, so that this holds where known texts tie there.

    Args:
        known: (k,) scores of texts with known labels, higher where surer; k >= 1.
        right: (k,) whether each is labelled right.
        new: (n,) scores of the new texts; n >= 1.

    Returns:
        (n,) 1 above the threshold, 0 below it.
    """
    hits = int(right.sum())
    if hits == 0:
        return np.zeros(len(new))
    threshold = np.sort(known)[len(known) - hits]
    part = (hits - (known > threshold).sum()) / (known == threshold).sum()
    counted: NDArray[np.float64] = np.where(new == threshold, part, new > threshold)
    return counted


def difference_of_confidences(
    known: NDArray[np.floating], right: NDArray[np.bool_], new: NDArray[np.floating]
) -> float:
    """Estimate accuracy as that of the known texts minus what mean confidence lost.

    Guillory et al. 2021, arXiv:2107.03315, section 3, without their regression.

    Args:
        known: (k,) probability of the predicted label of texts with known labels; k >= 1.
        right: (k,) whether each is labelled right.
        new: (n,) probability of the predicted label of the new texts; n >= 1.

    Returns:
        0..1.
    """
    accuracy = right.mean() + new.mean(dtype=np.float64) - known.mean(dtype=np.float64)
    return float(np.clip(accuracy, 0.0, 1.0))


def agreement(predicted: NDArray[np.integer]) -> float:
    """Estimate mean accuracy as the share of texts on which two classifiers agree, over all pairs.

    "Generalisation disagreement equality", Jiang et al. 2022, arXiv:2106.13799, theorem 4.1: where
    trainings that differ by seed are calibrated together, two disagree as often as each errs.

    Args:
        predicted: (classifiers, n) labels of the new texts by each; two classifiers at least.

    Returns:
        0..1.
    """
    pairs = combinations(predicted, 2)
    return float(np.mean([(first == second).mean() for first, second in pairs]))


def certainty(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return minus the entropy of each (classes,) row, (n,) nats; 0 where one label is certain."""
    from scipy.special import entr

    negative_entropy: NDArray[np.float64] = -entr(probabilities.astype(np.float64)).sum(1)
    return negative_entropy
