"""explain_errors: the words that the surest wrong answers of a classifier hang on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

from ranklet.classifier import TextClassifier
from ranklet.data.cleaning import clean
from ranklet.evaluation.answers import Answers, probabilities_of
from ranklet.evaluation.importance import MOST_WORDS, Words, importance_to_json, occlude
from ranklet.evaluation.one_label import confidence_of
from ranklet.evaluation.predictions import surest_errors
from ranklet.problem import SingleLabel
from ranklet.run import Run, write_json

MOST_TEXTS = 1000
"""Texts with a word left out that are asked about: seconds of MiniLM on one core."""


def explain_errors(model: TextClassifier, answers: Answers) -> dict[int, Words]:
    """Find which words the surest wrong answers hang on, as many as 1,000 questions allow.

    Args:
        model: What gave the answers, one label a text.
        answers: The answers.

    Returns:
        Row to the words of its cleaned text, the surest error first.
    """
    assert model.preprocessing is not None, "answers about texts need a tokenizer"
    probabilities = probabilities_of(model, answers)
    predicted = probabilities.argmax(1)
    wrong = surest_errors(*confidence_of(probabilities, answers.labels))
    texts = [clean(answers.texts[row], model.preprocessing.cleaning) for row in wrong.tolist()]
    asked = accumulate(min(len(text.split()), MOST_WORDS) for text in texts)
    count = sum(total <= MOST_TEXTS for total in asked)
    rows = wrong[:count]
    words = occlude(texts[:count], predicted[rows].tolist(), model.predict_proba)
    return dict(zip(rows.tolist(), words, strict=True))


def write_words(run: Run, model: TextClassifier, answers: Mapping[str, Answers]) -> None:
    """Write the words behind the errors on test, or on validation where there is no test.

    Raises:
        RunError: The file cannot be written.
    """
    if isinstance(model.problem, SingleLabel):
        split = "test" if "test" in answers else "validation"
        words = explain_errors(model, answers[split])
        write_json(words_file(run, split), importance_to_json(words))


def words_file(run: Run, split: str) -> Path:
    """Return where a run keeps the words behind the errors of a split."""
    return run.evaluation / f"{split}_importance.json"
