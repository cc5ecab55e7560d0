"""Runs as they are compared: several labels a text, and the fields in which recipes differ."""

from __future__ import annotations

import numpy as np
import pytest

from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.significance import compare_answers
from ranklet.run.row_answers import _encoded
from ranklet.workflows._compare.runs import _differing_fields, _fields


def test_several_labels_a_text_are_right_only_together() -> None:
    names = ["a", "b", "c"]
    has = _encoded(["a|b", "", "c"], names, several=True)
    assert has.tolist() == [[True, True, False], [False] * 3, [False, False, True]]
    given = _encoded(["a", "", "c"], names, several=True)
    first, second = RowAnswers("t", has, has), RowAnswers("t", has, given)
    assert second.right.tolist() == [False, True, True]
    found = compare_answers({0: first}, {0: second})
    assert found.accuracy.value == pytest.approx(1 / 3)
    # Only F1 of b differs: 1 against 0, of three labels.
    assert found.f1_macro.value == pytest.approx(1 / 3)


def test_one_label_may_hold_the_separator() -> None:
    assert np.array_equal(_encoded(["a|b"], ["a|b", "c"], several=False), [[True, False]])
    with pytest.raises(KeyError):
        _encoded(["unknown"], ["a|b", "c"], several=False)


def test_only_fields_that_differ_are_shown_and_files_by_their_bytes() -> None:
    sections = {"budget": 10, "data": {"train": "train.csv", "test": "a/test.csv"}}
    moved = {"budget": 10, "data": {"train": "train.csv", "test": "b/test.csv"}}
    files = [
        {"data.train": "1" * 64, "data.test": "3" * 64},
        {"data.train": "2" * 64, "data.test": "3" * 64},
    ]
    first, second = (_fields(*each) for each in zip((sections, moved), files, strict=True))
    # The same name and other bytes differ; another name and the same bytes do not.
    assert _differing_fields([first, second]) == [
        {"data.train": "train.csv (SHA-256 11111111)"},
        {"data.train": "train.csv (SHA-256 22222222)"},
    ]
    assert _differing_fields([first, first]) == [{}, {}]
