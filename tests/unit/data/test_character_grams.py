"""Counts of characters in a row, against those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from ranklet.data import character_grams
from ranklet.data.character_grams import count_character_grams

TEXTS = ["A goal was  scored", "ÉTÉ ß", "", "  ", "ab", "日本語 文", "x" * 40, "a b c", "\ud800 z"]


def test_they_are_those_of_scikit_learn() -> None:
    counted = count_character_grams(TEXTS)
    expected = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit_transform(TEXTS)
    for row in range(len(TEXTS)):
        assert sorted(counted[row].data) == sorted(expected[row].data)


def test_equal_words_fall_into_equal_columns_in_every_text() -> None:
    first, second, third = count_character_grams(["goal bank", "Bank\n goal", "goals bank"])
    assert (first != second).nnz == 0
    assert (first != third).nnz > 0


@pytest.mark.parametrize("at_once", [1, 20, 50])
def test_blocks_change_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = count_character_grams(TEXTS)
    monkeypatch.setattr(character_grams, "CHARACTERS_AT_ONCE", at_once)
    parts = count_character_grams(TEXTS)
    assert parts.shape == whole.shape
    assert np.array_equal(parts.indptr, whole.indptr)
    assert (parts != whole).nnz == 0
