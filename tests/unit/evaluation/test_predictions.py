"""The csv files of predictions and errors: written, read back, refused."""

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
