"""Coverage and thresholds by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ranklet.evaluation.selective import accuracy_by_coverage, choose_threshold, covered

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


def test_a_threshold_among_equals_takes_all_of_them():
    # The second row alone would still be right, but a threshold of 0.6 answers the third as well.
    confidence, right = np.array([0.9, 0.6, 0.6]), np.array([True, True, False])
    assert choose_threshold(confidence, right, 0.9).threshold == 0.9
    assert choose_threshold(confidence, right, 0.6).rows == 3
