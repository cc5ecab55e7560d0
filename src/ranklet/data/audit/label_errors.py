"""Likely label errors, by views of the texts that know their labels.

A view is a classifier that never saw the row it judges. Those that say more of the labels than how
frequent each is are pooled by `fit_slips`, and a row is named if its label is more likely to be a
slip than not.

Confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068) is the other way to count: a
row counts as confidently of class j if p_j reaches the mean that rows labelled j reach (section
3.1, eq. 1); counted by given label, that is the confident joint, which says how many labels of each
kind are wrong. It takes hard texts for wrong labels, so it bounds the share of these from above. So
many rows are pruned, those furthest from their label by both rules of section 3.2: lowest p of the
given label within its class (prune by class) and largest margin of another label over it (prune by
noise rate).

Below, `labels` are (rows,) int64, the given classes, and `probabilities` (rows, classes) float64,
out of sample; to draw folds, every class must have at least `FOLDS` rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.label_slips import fit_slips
from ranklet.data.words import terms

FOLDS = 5
"""A class with fewer rows cannot be judged."""

NEIGHBOURS = 30


CLEARLY = 0.05
"""Of the rows that the most frequent label misses, a view must get so many right."""

USUAL = 0.03
"""Share of wrong labels that rows are judged by, where it is not estimated to be higher.

So many are wrong in test sets that everybody uses (3.3 % in the mean of ten, Northcutt, Athalye,
Mueller 2021, arXiv:2103.14749); an estimate of none would acquit even an obvious slip.
"""

KNOWN_RECALL = 0.2
"""Labels of a class are not judged if fewer of its rows are recognised."""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Rows whose label is likely to be wrong, the most certain first.

    Attributes:
        rows: (errors,) int64 rows.
        suggested: (errors,) int64 class that is most probable instead.
        margin: (errors,) float64 probability that the label is right minus that it is wrong.
        share: Estimated share of wrong labels among all.
        interval: Where that share lies, by what the views alone can tell.
        unknown: Classes that the views do not recognise, and whose labels are not judged.
    """

    rows: NDArray[np.int64]
    suggested: NDArray[np.int64]
    margin: NDArray[np.float64]
    share: float
    interval: tuple[float, float]
    unknown: tuple[int, ...] = ()


def word_view(texts: Sequence[str]) -> Any | None:
    """Return TF-IDF features of words, (texts, terms) sparse float64; None where no text has any.

    Of scripts without spaces the terms are characters and runs of them, see `terms`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(map(terms, texts)):
        return None
    return TfidfVectorizer(sublinear_tf=True, analyzer=terms).fit_transform(texts)


def knows_labels(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> bool:
    """Tell whether a view clearly says more of the labels than which is the most frequent.

    Of the rows that are not of the most frequent class it must get more than 5 % right beyond what
    it loses (one-sided, 95 %). A view that knows nothing takes rare labels for wrong ones.
    """
    frequent = np.bincount(labels).argmax()
    better = 1.0 * (probabilities.argmax(axis=1) == labels) - (labels == frequent)
    lowest = better.mean() - 1.645 * better.std() / len(labels) ** 0.5
    return bool(lowest > CLEARLY * (labels != frequent).mean())


def out_of_sample_probabilities(
    features: Any, labels: NDArray[np.int64], seed: int = 0
) -> NDArray[np.float64]:
    """Return class probabilities of each row by a logistic regression on the other folds.

    Features are (rows, features): sparse TF-IDF, or dense states, which are standardized.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Strong penalties: a regression that learns single wrong labels vouches for others.
    if issparse(features):
        model = LogisticRegression(C=1.0, max_iter=1000)
    else:
        strength = max(5e-4, 6 / len(labels))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return _out_of_fold(model, features, labels, seed)


def neighbour_probabilities(
    states: NDArray[np.float32], labels: NDArray[np.int64], seed: int = 0
) -> NDArray[np.float64]:
    """Return the shares of labels among the 30 nearest rows of the other folds, by cosine.

    Neighbours in the states of a network tell wrong labels from right ones where a regression has
    learned some of them (Bahri, Jiang, Gupta 2020, arXiv:2004.12289).

    States are (rows, hidden) float32.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import normalize

    # Of the rows of unit length the nearest by distance are the nearest by angle.
    fewest = len(labels) - len(labels) // FOLDS - 1
    model = KNeighborsClassifier(min(NEIGHBOURS, fewest))
    return _out_of_fold(model, normalize(states), labels, seed)


def _out_of_fold(
    model: Any, features: Any, labels: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    probabilities: NDArray[np.float64] = cross_val_predict(
        model, features, labels, cv=folds, method="predict_proba"
    )
    return probabilities


def confident_joint(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Count rows by given and confident class, the matrix C of eq. 1.

    Returns:
        (given, confident) int64; rows that are confident of no class are not counted.
    """
    classes = probabilities.shape[1]
    own = [probabilities[labels == index, index] for index in range(classes)]
    # Nobody is confident of a class without rows.
    thresholds = np.array([column.mean() if len(column) else np.inf for column in own])
    # A mean of equal numbers may come out above them.
    confident = probabilities >= thresholds - 1e-12
    best = np.where(confident, probabilities, -1.0).argmax(axis=1)
    joint = np.zeros((classes, classes), dtype=np.int64)
    counted = confident.any(axis=1)
    np.add.at(joint, (labels[counted], best[counted]), 1)
    return joint


def expected_counts(labels: NDArray[np.int64], joint: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scale each row of a confident joint to the rows of its class, eq. 3 times the rows."""
    sizes = np.bincount(labels, minlength=len(joint))
    scaled: NDArray[np.float64] = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1)
    return scaled * sizes[:, None]


def pruned(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows that both prune by class and prune by noise rate take out."""
    counts = expected_counts(labels, confident_joint(labels, probabilities))
    by_class, by_rate = np.zeros((2, len(labels)), dtype=bool)
    for given in range(len(counts)):
        rows = np.flatnonzero(labels == given)
        own = probabilities[rows, given]
        wrong = round(float(counts[given].sum() - counts[given, given]))
        by_class[rows[np.argsort(own, kind="stable")[:wrong]]] = True
        for other in range(len(counts)):
            if other != given:
                order = np.argsort(own - probabilities[rows, other], kind="stable")
                by_rate[rows[order[: round(float(counts[given, other]))]]] = True
    return by_class & by_rate


def find_label_errors(
    labels: NDArray[np.int64],
    views: Sequence[NDArray[np.float64]],
    share: float | None = None,
) -> LabelErrors:
    """Find the rows whose label is more likely wrong than right.

    The share of wrong labels has an interval from the least that the views allow, their sharpness
    being free, to what the confident joint of the most favourable view counts.

    Args:
        labels: Given classes.
        views: Probabilities of the views that know the labels.
        share: Share of wrong labels, where it is known from elsewhere.
    """
    slips = fit_slips(labels, views)
    lenient = fit_slips(labels, views, sharpness=None)
    low = min(fit.rate - 1.96 * fit.error for fit in (slips, lenient))
    high = max(fit.rate + 1.96 * fit.error for fit in (slips, lenient))
    doubts = fit_slips(labels, views, rate=max(slips.rate if share is None else share, USUAL))
    recall = _recall(labels, np.mean(views, axis=0))
    suspects = (doubts.wrong > 0.5) & (recall[labels] >= KNOWN_RECALL)
    rows = np.flatnonzero(suspects)
    rows = rows[np.argsort(-doubts.wrong[rows], kind="stable")]
    return LabelErrors(
        rows=rows,
        suggested=doubts.likely[rows],
        margin=1 - 2 * doubts.wrong[rows],
        share=slips.rate,
        interval=(max(low, 0.0), min(max(high, _counted_wrong(labels, views)), 1.0)),
        unknown=tuple(np.flatnonzero(recall < KNOWN_RECALL).tolist()),
    )


def _recall(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (classes,) the share of each class's rows that are recognised."""
    classes = probabilities.shape[1]
    right = probabilities.argmax(axis=1) == labels
    hits = np.bincount(labels[right], minlength=classes)
    recall: NDArray[np.float64] = hits / np.maximum(np.bincount(labels, minlength=classes), 1)
    return recall


def _counted_wrong(labels: NDArray[np.int64], views: Sequence[NDArray[np.float64]]) -> float:
    counts = [expected_counts(labels, confident_joint(labels, view)) for view in views]
    return min(float(1 - np.trace(table) / len(labels)) for table in counts)
