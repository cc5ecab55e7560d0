"""What needs no encoder: the figures that a trained classifier has to beat on the same split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.data.words import terms_and_pairs
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.problem_metrics import evaluate_probabilities
from ranklet.problem import choose_problem
from ranklet.vocabulary import ProblemType

MAJORITY = "majority class"
LINEAR = "TF-IDF + linear SVM"


@dataclass(frozen=True)
class Baseline:
    """A simple classifier on one split.

    Attributes:
        name: What it is.
        accuracy: As in `Evaluation`.
        f1_macro: As in `Evaluation`.
    """

    name: str
    accuracy: Metric
    f1_macro: Metric


def evaluate_baselines(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    splits: Mapping[str, tuple[Sequence[str], NDArray[np.int64]]],
    label_names: Sequence[str],
    problem_type: ProblemType,
    seed: int = 0,
) -> dict[str, tuple[Baseline, ...]]:
    """Fit simple classifiers on training texts and evaluate them.

    They are the most frequent label (the more frequent answer about each, where a text may have
    several) and a linear support vector machine on the TF-IDF of words and pairs of words, which is
    hard to beat on topics (Wang & Manning 2012, "Baselines and Bigrams", ACL). Where no text holds
    a word, there is only the first.

    Args:
        texts: Training texts.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
        splits: Name to texts and labels of what is evaluated.
        label_names: Names in the order of the indices.
        problem_type: Whether a text has one label or any number of them.
        seed: Of the support vector machine and of the intervals.

    Returns:
        For each split its baselines.
    """
    problem = choose_problem(problem_type, len(label_names))
    models = _fitted(texts, labels, seed)

    def baseline(name: str, split: str) -> Baseline:
        split_texts, split_labels = splits[split]
        predicted = np.asarray(models[name].predict(split_texts))
        answers = predicted if predicted.ndim == 2 else np.eye(len(label_names))[predicted]
        evaluation = evaluate_probabilities(
            problem, answers.astype(np.float32), split_labels, label_names, split, seed
        )
        return Baseline(name, evaluation.accuracy, evaluation.f1_macro)

    return {split: tuple(baseline(name, split) for name in models) for split in splits}


def _fitted(texts: Sequence[str], labels: NDArray[np.int64], seed: int) -> dict[str, Any]:
    import warnings

    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    models: dict[str, Any] = {MAJORITY: DummyClassifier(strategy="most_frequent")}
    features = TfidfVectorizer(sublinear_tf=True, analyzer=terms_and_pairs)
    if any(map(terms_and_pairs, texts)) and len(np.unique(labels)) > 1:
        machine = LinearSVC(random_state=seed)
        machine = OneVsRestClassifier(machine) if labels.ndim == 2 else machine
        models[LINEAR] = make_pipeline(features, machine)
    with warnings.catch_warnings():
        # A label that every text has, or one more round of the solver, makes no other baseline.
        warnings.simplefilter("ignore")
        return {name: model.fit(texts, labels) for name, model in models.items()}
