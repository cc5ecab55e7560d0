"""Do train and test come from one source? A classifier that tells them apart says how far not.

A classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545; for shifts: Rabanser,
Guennemann, Lipton 2019, arXiv:1810.11953): a logistic regression on words, judged on held-out folds
by its area under the ROC curve. 0.5 is chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.data.words import UNSPACED, terms

FOLDS = 5
MOST_TEXTS = 10_000
FEWEST_TEXTS = 20
MOST_WORDS = 8


@dataclass(frozen=True)
class Shift:
    """How well words tell two splits apart.

    Attributes:
        auc: Area under the ROC curve on held-out folds.
        interval: Its 95 % interval.
        first_words: Words that speak most for the first split, where there is a shift.
        second_words: Words that speak most for the second.
        verdict: All of it in words.
    """

    auc: float
    interval: tuple[float, float]
    first_words: tuple[str, ...]
    second_words: tuple[str, ...]
    verdict: str


def find_shift(first: Sequence[str], second: Sequence[str], seed: int = 0) -> Shift | None:
    """Measure how well words tell two splits apart, of each at most 10,000 texts.

    Returns:
        The shift; None where a split has fewer than 20 texts or no text has a word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    generator = np.random.default_rng(seed)
    texts = [*_drawn(first, generator), *_drawn(second, generator)]
    is_second = np.arange(len(texts)) >= min(len(first), MOST_TEXTS)
    vectorizer = TfidfVectorizer(sublinear_tf=True, analyzer=_words)
    if min(len(first), len(second)) < FEWEST_TEXTS or not any(map(_words, texts)):
        return None
    features = vectorizer.fit_transform(texts)
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(model, features, is_second, cv=folds, method="decision_function")
    auc = float(roc_auc_score(is_second, scores))
    interval = auc_interval(auc, int((~is_second).sum()), int(is_second.sum()))
    weights = model.fit(features, is_second).coef_[0]
    words = vectorizer.get_feature_names_out()
    order = np.argsort(weights, kind="stable")
    shifted = interval[0] > 0.5
    return Shift(
        auc=auc,
        interval=interval,
        first_words=_telling(words, order, weights < 0) if shifted else (),
        second_words=_telling(words, order[::-1], weights > 0) if shifted else (),
        verdict=shift_verdict(auc, interval),
    )


def auc_interval(auc: float, first: int, second: int) -> tuple[float, float]:
    """Return the 95 % interval of an area under the ROC curve, cut to 0 .. 1.

    By the standard error of Hanley and McNeil 1982 (Radiology 143, eq. 2), where one class has
    `first` and the other `second` rows.
    """
    above, twice = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (second - 1) * (above - auc**2) + (first - 1) * (twice - auc**2)
    half = 1.96 * max(variance / (first * second), 0.0) ** 0.5
    return max(auc - half, 0.0), min(auc + half, 1.0)


def shift_verdict(auc: float, interval: tuple[float, float]) -> str:
    """Say in words what an area under the ROC curve means."""
    if interval[0] <= 0.5:
        return "none visible: words do not tell the splits apart"
    degree = "slight" if auc < 0.6 else "clear" if auc < 0.8 else "strong"
    return f"{degree}: words tell the splits apart"


def _words(text: str) -> list[str]:
    # A letter alone, as in "it's", tells nothing; a character of a script without spaces does.
    return [term for term in terms(text) if len(term) > 1 or UNSPACED.match(term)]


def _drawn(texts: Sequence[str], generator: np.random.Generator) -> list[str]:
    if len(texts) <= MOST_TEXTS:
        return list(texts)
    return [texts[row] for row in generator.choice(len(texts), MOST_TEXTS, replace=False)]


def _telling(
    words: NDArray[np.str_], order: NDArray[np.int64], allowed: NDArray[np.bool_]
) -> tuple[str, ...]:
    return tuple(str(words[index]) for index in order[:MOST_WORDS] if allowed[index])
