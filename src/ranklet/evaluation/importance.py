"""Which words of a text an answer hangs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.data.texts import Text, in_one

METHOD = "occlusion: by how much the probability of the predicted label falls without the word"
MOST_WORDS = 64
"""Of a text; what comes later has no importance."""

Words = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Importance:
    """The words behind some answers.

    Attributes:
        method: How they were found, in words.
        rows: Row to its words, each with its importance, -1..1.
    """

    method: str
    rows: Mapping[int, Words]


def occlude(
    texts: Sequence[Text],
    predicted: Sequence[int],
    predict_proba: Callable[[Sequence[Text]], NDArray[np.floating]],
) -> list[Words]:
    """Find the importance of every word by leaving it out.

    Erasure of Li, Monroe & Jurafsky 2016, arXiv:1612.08220, section 3, on the words of the input,
    as a difference of probabilities.

    Args:
        texts: Texts to explain, or pairs; words are what white space parts.
        predicted: Class index of each text's answer.
        predict_proba: Maps n texts to (n, classes) probabilities; called once.

    Returns:
        For each text its first 64 words, each with the probability of the answer less that without
        the word, -1..1; no words where a text has only one, which leaves nothing without it.
    """
    words = [in_one(text).split() for text in texts]
    words = [own if len(own) > 1 else [] for own in words]
    shortened = [
        _without(text, place)
        for text, own in zip(texts, words, strict=True)
        for place in range(min(len(own), MOST_WORDS))
    ]
    probabilities = predict_proba([*texts, *shortened])
    whole, without = probabilities[: len(texts)], iter(probabilities[len(texts) :])
    return [
        tuple((word, float(whole[row, label] - next(without)[label])) for word in own[:MOST_WORDS])
        for row, (own, label) in enumerate(zip(words, predicted, strict=True))
    ]


def _without(text: Text, place: int) -> Text:
    """Leave a word out of a text, or of a pair, whose words are counted through."""
    if isinstance(text, str):
        return _without_word(text, place)
    first, second = text
    words = len(first.split())
    if place < words:
        return _without_word(first, place), second
    return first, _without_word(second, place - words)


def _without_word(text: str, place: int) -> str:
    words = text.split()
    return " ".join([*words[:place], *words[place + 1 :]])


def importance_of(words: Mapping[int, Words]) -> Importance:
    """Keep the words of rows, rounded to what a shade can show."""
    rows = {
        row: tuple((word, round(value, 4)) for word, value in pairs) for row, pairs in words.items()
    }
    return Importance(METHOD, rows)
