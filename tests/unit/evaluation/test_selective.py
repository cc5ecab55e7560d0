"""Coverage, thresholds, slices and the csv files of predictions, by hand."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.predictions import (
    Predictions,
    read_predictions,
    write_error_rows,
    write_predictions,
)
from ranklet.evaluation.ranking import top_accuracies
from ranklet.evaluation.selective import accuracy_by_coverage, choose_threshold, covered
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


def test_the_surest_rows_first():
    found = accuracy_by_coverage(CONFIDENCE, RIGHT)
    assert [each.rows for each in found] == [5, 5, 5, 5, 5, 3, 2]  # the two of 0.6 go together
    assert [each.accuracy.value for each in found] == pytest.approx(
        [0.6, 0.6, 0.6, 0.6, 0.6, 2 / 3, 1.0]
    )
    assert [each.coverage for each in found][-2:] == [0.6, 0.4]


@pytest.mark.parametrize(
    ("wanted", "threshold", "rows"),
    [(0.5, 0.6, 5), (0.6, 0.6, 5), (0.61, 0.7, 3), (0.67, 0.8, 2), (1.0, 0.8, 2)],
)
def test_a_threshold_for_an_accuracy(wanted, threshold, rows):
    found = choose_threshold(CONFIDENCE, RIGHT, wanted)
    assert (found.threshold, found.rows) == (np.float32(threshold), rows)
    assert found.accuracy.value >= wanted


def test_an_accuracy_that_is_not_reached():
    assert choose_threshold(CONFIDENCE, ~RIGHT, 0.9) is None
    assert covered(CONFIDENCE, RIGHT, 0.95).accuracy is None


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


def test_the_first_of_equals_is_on_top():
    probabilities = np.array([[0.4, 0.2, 0.2, 0.2], [0.1, 0.6, 0.2, 0.1]], dtype=np.float32)
    found = top_accuracies(probabilities, np.array([2, 3]))
    assert [(each.k, each.accuracy.value) for each in found] == [(2, 0.0), (3, 0.5)]
    assert top_accuracies(probabilities[:, :2], np.array([0, 1])) == ()


PREDICTIONS = Predictions(("a", "b", "a"), ("b", "b", 'c, "x"'),
                          np.array([0.7, 0.1, 0.9], dtype=np.float32),
                          np.array([False, True, False]))  # fmt: skip


def test_predictions_come_back_as_they_were(tmp_path):
    path = tmp_path / "test_predictions.csv"
    write_predictions(path, PREDICTIONS)
    assert path.read_text().splitlines()[:2] == [
        "row,label,predicted,confidence,correct",
        "0,a,b,0.7,0",
    ]
    found = read_predictions(path)
    assert (found.labels, found.predicted) == (PREDICTIONS.labels, PREDICTIONS.predicted)
    assert found.confidence.tobytes() == PREDICTIONS.confidence.tobytes()
    assert found.right.tolist() == [False, True, False]


def test_several_labels_have_no_confidence(tmp_path):
    path = tmp_path / "sets.csv"
    write_predictions(path, Predictions((("a", "b"), ()), (("a",), ()), None,
                                        np.array([False, True])))  # fmt: skip
    assert path.read_text().splitlines()[1:] == ["0,a|b,a,,0", "1,,,,1"]
    assert read_predictions(path).confidence is None


HEADER = "row,label,predicted,confidence,correct\n"


@pytest.mark.parametrize(
    "content", ["row,label\n0,a\n", HEADER + "0,a,b,x,1\n", HEADER + "0,a,b,0.5,yes\n"]
)
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "broken.csv"
    path.write_text(content)
    with pytest.raises(RunError, match="holds no predictions"):
        read_predictions(path)
    with pytest.raises(RunError, match="holds no predictions"):
        read_predictions(tmp_path / "missing.csv")


def test_the_surest_errors_come_first(tmp_path):
    path = tmp_path / "errors.csv"
    true = np.array([0.2, 0.1, 0.05], dtype=np.float32)
    suspects = np.array([False, True, True])
    assert write_error_rows(path, ["one,\ntwo", "right", "three"], PREDICTIONS, true, suspects) == 2
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == ["three", "one,\ntwo"]
    assert list(rows[0].values()) == ["2", "three", "a", 'c, "x"', "0.050000", "0.900000", "1"]
