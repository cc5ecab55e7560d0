"""Importance of words: differences by hand on a classifier that counts words."""

from collections.abc import Sequence

import numpy as np
import pytest

from ranklet.evaluation.importance import (
    METHOD,
    MOST_WORDS,
    Importance,
    importance_of,
    occlude,
)

WEIGHTS = {"goal": 0.4, "bank": -0.3}


def predict_proba(texts: Sequence[str]) -> np.ndarray:
    first = [0.5 + sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in texts]
    return np.stack([first, 1 - np.array(first)], axis=1)


def test_a_word_is_worth_what_is_lost_without_it() -> None:
    (found,) = occlude(["a goal of the bank"], [0], predict_proba)
    assert [word for word, _ in found] == ["a", "goal", "of", "the", "bank"]
    assert [value for _, value in found] == pytest.approx([0, 0.4, 0, 0, -0.3])


def test_the_other_answer_turns_the_signs() -> None:
    (found,) = occlude(["goal bank"], [1], predict_proba)
    assert dict(found) == pytest.approx({"goal": -0.4, "bank": 0.3})


def test_texts_keep_to_themselves_and_short_ones_have_no_words() -> None:
    found = occlude(["goal", "", "bank x"], [0, 0, 0], predict_proba)
    assert found[:2] == [(), ()]
    assert dict(found[2]) == pytest.approx({"bank": -0.3, "x": 0})


def test_long_texts_are_explained_at_their_beginning() -> None:
    (found,) = occlude(["x " * MOST_WORDS + "goal"], [0], predict_proba)
    assert len(found) == MOST_WORDS
    assert max(value for _, value in found) == pytest.approx(0)


def test_what_is_kept_is_rounded() -> None:
    assert importance_of({3: (("goal", 0.40004),)}) == Importance(METHOD, {3: (("goal", 0.4),)})
