"""Estimators of accuracy without labels, by values computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ranklet.evaluation.unlabelled.estimators import (
    above_threshold,
    agreement,
    certainty,
    difference_of_confidences,
)

KNOWN = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
RIGHT = np.array([True, True, False, True, False])
NEW = np.array([0.95, 0.75, 0.65, 0.4])


def thresholded_confidence(known: np.ndarray, right: np.ndarray, new: np.ndarray) -> float:
    return float(above_threshold(known, right, new).mean())


def check_thresholded_confidence(estimate: Callable[..., float]) -> None:
    # Three of five are right: the threshold is the third highest score, 0.7.
    assert estimate(KNOWN, RIGHT, NEW) == pytest.approx(2 / 4)
    assert estimate(KNOWN, RIGHT, KNOWN) == pytest.approx(3 / 5)
    assert estimate(KNOWN, np.ones(5, dtype=bool), NEW) == pytest.approx(3 / 4)
    assert estimate(KNOWN, np.zeros(5, dtype=bool), NEW) == 0.0


def test_thresholded_confidence_by_hand() -> None:
    check_thresholded_confidence(thresholded_confidence)


def test_ties_at_the_threshold_count_in_part() -> None:
    # Two of the three at 0.5 make the known share exact, so half of the new at 0.5 are 2/3 of it.
    known = np.array([0.9, 0.5, 0.5, 0.5])
    right = np.array([True, True, False, True])
    assert thresholded_confidence(known, right, known) == pytest.approx(3 / 4)
    assert thresholded_confidence(known, right, np.array([0.5, 0.6])) == pytest.approx(
        1 / 2 + 2 / 3 / 2
    )


def test_a_threshold_by_errors_instead_of_hits_is_found_out() -> None:
    def sabotaged(known: np.ndarray, right: np.ndarray, new: np.ndarray) -> float:
        return thresholded_confidence(known, ~right, new)

    with pytest.raises(AssertionError):
        check_thresholded_confidence(sabotaged)


@given(
    scores=arrays(np.float64, 12, elements=st.sampled_from([0.3, 0.5, 0.7, 0.9])),
    right=arrays(np.bool_, 12),
)
def test_on_the_known_texts_every_estimate_is_their_accuracy(
    scores: np.ndarray, right: np.ndarray
) -> None:
    for estimate in (thresholded_confidence, difference_of_confidences):
        assert estimate(scores, right, scores) == pytest.approx(right.mean())


def test_difference_of_confidences_by_hand() -> None:
    # 0.6 right, mean confidence falls from 0.7 to 0.6875.
    assert difference_of_confidences(KNOWN, RIGHT, NEW) == pytest.approx(0.5875)
    assert difference_of_confidences(KNOWN, RIGHT, np.ones(3)) == pytest.approx(0.9)
    assert difference_of_confidences(np.ones(5), ~np.ones(5, dtype=bool), NEW) == 0.0


def test_agreement_is_the_mean_over_pairs() -> None:
    predicted = np.array([[0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 0, 0]])
    assert agreement(predicted[:2]) == 3 / 4
    assert agreement(predicted) == pytest.approx((3 / 4 + 2 / 4 + 3 / 4) / 3)


def test_certainty_is_minus_the_entropy() -> None:
    rows = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]], dtype=np.float32)
    expected = [0.0, -log(2), 0.25 * log(0.25) + 0.75 * log(0.75)]
    assert certainty(rows) == pytest.approx(expected)
