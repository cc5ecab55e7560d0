"""What a classifier says about labelled texts, and every figure of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ranklet.classifier import ClassifierNetwork
from ranklet.data.cleaning import clean_text
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.texts import Text, in_one
from ranklet.data.tokens.corpus import TokenCorpus, text_labels
from ranklet.evaluation import problem_metrics, slices
from ranklet.evaluation.curves import Curves
from ranklet.evaluation.importance import MOST_WORDS, Importance, importance_of, occlude
from ranklet.evaluation.predictions import Predictions, surest_errors
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.selective import ChosenThreshold, Coverage, confidence_of, covered
from ranklet.problem import SingleLabel

MOST_TEXTS = 1000
"""Texts with a word left out that are asked about: seconds of MiniLM on one core."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Labelled texts and what a classifier says about them.

    Attributes:
        texts: The texts.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
        logits: (texts, classes) float32, on the CPU.
        lengths: (texts,) int64 tokens read of each, or of the first window of it.
    """

    texts: Sequence[Text]
    labels: NDArray[np.int64]
    logits: Tensor
    lengths: NDArray[np.int64]


def answer(model: ClassifierNetwork, texts: Sequence[Text], corpus: TokenCorpus) -> Answers:
    """Ask a classifier about texts.

    Args:
        model: The classifier.
        texts: The texts.
        corpus: The same, tokenized, with labels.
    """
    starts = corpus.text_starts
    lengths = corpus.lengths if starts is None else corpus.lengths[starts[:-1]]
    return Answers(texts, text_labels(corpus), model.predict_logits(corpus), lengths)


def probabilities_of(model: ClassifierNetwork, answers: Answers) -> NDArray[np.float32]:
    """Return the probabilities behind some answers, (texts, classes) float32."""
    probabilities: NDArray[np.float32] = model.problem.probabilities(answers.logits).numpy()
    return probabilities


def evaluate_answers(
    model: ClassifierNetwork,
    answers: Answers,
    name: str,
    seed: int = 0,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Evaluation:
    """Compute every figure of some answers.

    Args:
        model: What gave them; its temperature or thresholds are used.
        answers: The answers.
        name: What the evaluation calls the texts.
        seed: Seed of the intervals.
        columns: Further cells of each text, by column, to tell texts apart by.
    """
    problem, labels = model.problem, answers.labels
    probabilities = probabilities_of(model, answers)
    evaluation = problem_metrics.evaluate_probabilities(
        problem, probabilities, labels, model.labels.names, name, seed
    )
    groupings = [slices.by_words([in_one(text) for text in answers.texts])]
    if model.preprocessing is not None:
        groupings.append(slices.by_tokens(answers.lengths, model.preprocessing.max_length))
    if isinstance(problem, SingleLabel):
        groupings.append(slices.Grouping("class", model.labels.names, labels))
        groupings.append(slices.by_confidence(probabilities.max(1)))
    groupings += [slices.by_column(column, cells) for column, cells in (columns or {}).items()]
    right = problem_metrics.is_correct(problem, probabilities, labels)
    parts = tuple(part for grouping in groupings for part in slices.slice_rows(grouping, right))
    return replace(evaluation, slices=parts)


def evaluate_splits(
    model: ClassifierNetwork, answers: Mapping[str, Answers], seed: int
) -> dict[str, Evaluation]:
    """Compute every figure of the evaluated splits, by name."""
    return {name: evaluate_answers(model, answers[name], name, seed) for name in answers}


def with_threshold(
    evaluation: Evaluation,
    model: ClassifierNetwork,
    answers: Answers,
    wanted: float,
    on_validation: Coverage,
) -> Evaluation:
    """Add what a threshold chosen on validation for an accuracy gives on the answers."""
    probabilities = probabilities_of(model, answers)
    here = covered(*confidence_of(probabilities, answers.labels), on_validation.threshold)
    return replace(evaluation, threshold=ChosenThreshold(wanted, on_validation, here))


def predictions_of(model: ClassifierNetwork, answers: Answers) -> Predictions:
    """Turn answers into labels by name."""
    names, problem = model.labels.names, model.problem
    probabilities = probabilities_of(model, answers)
    return Predictions(
        labels=tuple(problem_metrics.label_names_of(answers.labels, names)),
        predicted=tuple(problem.answers(probabilities, names)),
        confidence=probabilities.max(1) if isinstance(problem, SingleLabel) else None,
        right=problem_metrics.is_correct(problem, probabilities, answers.labels),
    )


def curves_of(model: ClassifierNetwork, answers: Answers) -> Curves:
    """Compute the points of every curve of some answers."""
    probabilities = probabilities_of(model, answers)
    return problem_metrics.curves_of_probabilities(
        model.problem, probabilities, answers.labels, model.labels.names
    )


def explain_errors(model: ClassifierNetwork, answers: Answers) -> Importance:
    """Find which words the surest wrong answers hang on, as many as 1,000 questions allow.

    Args:
        model: What gave the answers, one label a text.
        answers: The answers.

    Returns:
        The words of each row's cleaned text, the surest error first.
    """
    assert model.preprocessing is not None, "answers about texts need a tokenizer"
    probabilities = probabilities_of(model, answers)
    predicted = probabilities.argmax(1)
    wrong = surest_errors(*confidence_of(probabilities, answers.labels))
    cleaning = model.preprocessing.cleaning
    texts = [clean_text(answers.texts[row], cleaning) for row in wrong.tolist()]
    questions = accumulate(min(len(in_one(text).split()), MOST_WORDS) for text in texts)
    count = sum(total <= MOST_TEXTS for total in questions)
    rows = wrong[:count]
    words = occlude(texts[:count], predicted[rows].tolist(), model.predict_proba)
    return importance_of(dict(zip(rows.tolist(), words, strict=True)))


def evaluate_on(
    model: ClassifierNetwork, split: EncodedSplit, name: str, seed: int = 0
) -> Evaluation:
    """Evaluate a classifier on labelled texts.

    Args:
        model: The classifier.
        split: Texts, cleaned or not, and labels.
        name: What the evaluation calls them.
        seed: Seed of the intervals.
    """
    answers = answer(model, split.texts, model.corpus(split.texts, split.labels))
    return evaluate_answers(model, answers, name, seed)
