"""What anybody could have for nothing: the figures that a trained classifier has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.data.character_grams import count_character_grams
from ranklet.data.words import terms_and_pairs
from ranklet.evaluation.intervals import Metric, Scores, share_with_interval
from ranklet.evaluation.metrics import macro_average, scores_of_counts
from ranklet.evaluation.score_intervals import LabelCounts, average_metrics

MAJORITY = "majority class"
WORDS = "linear SVM on words"
CHARACTERS = "linear SVM on characters"
PROBE = "linear probe"
# Characters of the training texts that the machine on characters reads: ten seconds' worth.
MOST_CHARACTERS = 8_000_000
# Coarser than the solver's own: on four sets the same accuracy in half the time.
TOLERANCE = 1e-2
RESAMPLES = 400


@dataclass(frozen=True)
class Baseline:
    """A simple classifier on one split.

    Attributes:
        name: What it is.
        accuracy: As in `Evaluation`.
        f1_macro: As in `Evaluation`, its interval from 400 resamples.
    """

    name: str
    accuracy: Metric
    f1_macro: Metric


def evaluate_baselines(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    splits: Mapping[str, tuple[Sequence[str], NDArray[np.int64]]],
    num_labels: int,
    seed: int = 0,
    probe: Mapping[str, NDArray[np.floating]] | None = None,
) -> dict[str, tuple[Baseline, ...]]:
    """Fit simple classifiers on training texts and evaluate them.

    They are the most frequent label (the more frequent answer about each, where a text may have
    several) and two linear support vector machines on TF-IDF: one of words and pairs of words,
    which is hard to beat on topics (Wang & Manning 2012, "Baselines and Bigrams", ACL), and one of
    two to five characters in a row, which is hard to beat on short or misspelled texts and on
    languages that build long words. That one reads texts drawn from the training texts up to 8
    million characters. Where no text holds a word, or all have one label, there is only the first.

    Args:
        texts: Training texts.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
        splits: Name to texts and labels of what is evaluated.
        num_labels: How many labels there are.
        seed: Of the support vector machines, of what they read and of the intervals.
        probe: Name of a split to the logits, (texts, labels), of a linear probe on the frozen
            encoder; None: there was none.

    Returns:
        For each split its baselines.
    """
    models = _fitted(texts, labels, seed)
    evaluated = {}
    for split, (split_texts, split_labels) in splits.items():
        predicted = {name: np.asarray(model.predict(split_texts)) for name, model in models.items()}
        if probe is not None and split in probe:
            logits = probe[split]
            predicted[PROBE] = logits.argmax(1) if labels.ndim == 1 else logits >= 0
        truth = _as_sets(split_labels, num_labels)
        evaluated[split] = tuple(
            _baseline(name, _as_sets(answers, num_labels), truth, labels.ndim == 1, seed)
            for name, answers in predicted.items()
        )
    return evaluated


def _as_sets(labels: NDArray[Any], num_labels: int) -> NDArray[np.bool_]:
    is_set = labels == 1 if labels.ndim == 2 else np.eye(num_labels, dtype=bool)[labels]
    return np.asarray(is_set)


def _baseline(
    name: str,
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    is_one_label: bool,
    seed: int,
) -> Baseline:
    """Compare label sets, (texts, labels) each; one label a text is a set of one."""
    rows, num_labels = truth.shape
    counted = np.hstack([predicted & truth, truth, predicted]).astype(np.float64)

    def macro_f1(times: NDArray[np.integer]) -> Scores:
        hits, support, given = np.split(times @ counted, 3, axis=-1)
        return macro_average(scores_of_counts(hits, support, given).f1)

    random = np.random.default_rng(seed)
    draws = (random.integers(0, rows, rows) for _ in range(RESAMPLES))
    resampled = macro_f1(np.stack([np.bincount(draw, minlength=rows) for draw in draws]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    counts = LabelCounts(*counted.sum(0).astype(np.int64).reshape(3, num_labels))
    value = float(macro_f1(np.ones(rows, dtype=np.int64)))
    interval = Metric(value, (float(low), float(high)))
    averages = average_metrics(counts, {"f1_macro": interval}, is_one_label=is_one_label)
    hits = int((predicted == truth).all(1).sum())
    return Baseline(name, share_with_interval(hits, rows), averages["f1_macro"])


def _fitted(texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> dict[str, Any]:
    import warnings

    from sklearn.dummy import DummyClassifier

    with warnings.catch_warnings():
        # A label that every text has, or one more round of the solver, makes no other baseline.
        warnings.simplefilter("ignore")
        models = {MAJORITY: DummyClassifier(strategy="most_frequent").fit(texts, labels)}
        if any(map(terms_and_pairs, texts)) and len(np.unique(labels)) > 1:
            models[WORDS] = _words(labels, seed).fit(texts, labels)
            drawn = _drawn(texts, seed)
            some = [texts[index] for index in drawn]
            models[CHARACTERS] = _characters(labels, seed).fit(some, labels[drawn])
    return models


def _drawn(texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw texts until they are more characters than are read; most often that is all of them."""
    order = np.random.default_rng(seed).permutation(len(texts))
    before = np.cumsum([0, *(len(texts[index]) for index in order[:-1])])
    return np.sort(order[before < MOST_CHARACTERS])


def _words(labels: NDArray[np.int64], seed: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    features = TfidfVectorizer(sublinear_tf=True, analyzer=terms_and_pairs)
    return make_pipeline(features, _machine(labels, seed))


def _characters(labels: NDArray[np.int64], seed: int) -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(
        FunctionTransformer(count_character_grams),
        VarianceThreshold(),  # keeps the columns that some text has
        TfidfTransformer(sublinear_tf=True),
        _machine(labels, seed),
    )


def _machine(labels: NDArray[np.int64], seed: int) -> Any:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    machine = LinearSVC(random_state=seed, tol=TOLERANCE)
    return OneVsRestClassifier(machine) if labels.ndim == 2 else machine
