"""Parts of the rows, by hand."""

from __future__ import annotations

import numpy as np

from ranklet.evaluation.slices import (
    Grouping,
    by_column,
    by_confidence,
    by_tokens,
    by_words,
    slice_rows,
)

CONFIDENCE = np.array([0.9, 0.6, 0.8, 0.7, 0.6], dtype=np.float32)
RIGHT = np.array([True, False, True, False, True])


def shown(grouping, right=RIGHT):
    return [(each.value, each.rows, each.accuracy.value) for each in slice_rows(grouping, right)]


def test_quarters_of_words():
    texts = ["a", "a b", "a b c", "a b c d", "a b c d e f g h"]
    # Lower quartiles of 1, 2, 3, 4, 8 words: 2, 3, 4.
    assert shown(by_words(texts)) == [
        ("1 to 2", 2, 0.5), ("3", 1, 1.0), ("4", 1, 0.0), ("5 to 8", 1, 1.0)
    ]  # fmt: skip
    assert shown(by_words(["one two"] * 5)) == [("2", 5, 0.6)]


def test_other_parts():
    lengths = np.array([3, 8, 8, 5, 2])
    assert shown(by_tokens(lengths, 8)) == [
        ("below 8", 3, 2 / 3), ("8, the most that is read", 2, 0.5)
    ]  # fmt: skip
    # In float32 0.7 and 0.9 are a little less than that.
    assert shown(by_confidence(CONFIDENCE)) == [("0.5 to 0.7", 3, 1 / 3), ("0.7 to 0.9", 2, 1.0)]
    assert shown(Grouping("class", ("no", "yes", "never"), np.array([0, 0, 1, 1, 1]))) == [
        ("no", 2, 0.5), ("yes", 3, 2 / 3)
    ]  # fmt: skip


def test_a_column_with_many_values():
    cells = ["b ", "a", "", "a", "b"]
    assert shown(by_column("source", cells)) == [("a", 2, 0.0), ("b", 2, 1.0), ("(empty)", 1, 1.0)]
    many = [str(index) for index in range(30)] + ["7", "7"]
    found = slice_rows(by_column("year", many), np.ones(32, dtype=bool))
    assert len(found) == 20
    assert (found[0].value, found[0].rows) == ("7", 3)
    assert (found[-1].value, found[-1].rows) == ("(others)", 32 - 3 - 18)
