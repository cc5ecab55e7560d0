"""The words that the surest wrong answers of a classifier hang on."""

from __future__ import annotations

from itertools import accumulate

from ranklet.classifier import TextClassifier
from ranklet.data.cleaning import clean
from ranklet.evaluation.answers import Answers, probabilities_of
from ranklet.evaluation.importance import MOST_WORDS, Importance, importance_of, occlude
from ranklet.evaluation.predictions import surest_errors
from ranklet.evaluation.selective import confidence_of

MOST_TEXTS = 1000
"""Texts with a word left out that are asked about: seconds of MiniLM on one core."""


def explain_errors(model: TextClassifier, answers: Answers) -> Importance:
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
    texts = [clean(answers.texts[row], model.preprocessing.cleaning) for row in wrong.tolist()]
    questions = accumulate(min(len(text.split()), MOST_WORDS) for text in texts)
    count = sum(total <= MOST_TEXTS for total in questions)
    rows = wrong[:count]
    words = occlude(texts[:count], predicted[rows].tolist(), model.predict_proba)
    return importance_of(dict(zip(rows.tolist(), words, strict=True)))
