"""Thresholds tuned for F1: by hand, against trying every one, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.evaluation.thresholds import best_thresholds, common_threshold, tune_thresholds


def tune(probabilities: list[float], labels: list[int]) -> float:
    (threshold,) = best_thresholds(
        np.array(probabilities, dtype=np.float32)[:, None], np.array(labels)[:, None]
    )
    return threshold


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        # F1 of giving the first 1, 2, 3, 4 rows: 2/3, 1, 4/5, 2/3.
        ([0.4, 0.3, 0.2, 0.1], [1, 1, 0, 0], 0.25),
        # The best is below everything: all rows have the label.
        ([0.4, 0.2], [1, 1], 0.1),
        # Above 0.5: 1 of 1 is right there, at 0.5 one of two.
        ([0.9, 0.7, 0.1], [1, 0, 0], 0.8),
        # As good at 0.5 as anywhere: stays.
        ([0.9, 0.4, 0.1], [1, 0, 0], 0.5),
        ([0.5, 0.4], [1, 0], 0.5),
        # Nobody has the label.
        ([0.9, 0.4], [0, 0], 0.5),
        # Giving 1 row and giving all 4 have an F1 of 2/3 and 2/3; 0.35 is nearer to 0.5 than 0.05.
        ([0.4, 0.3, 0.2, 0.1], [1, 0, 0, 1], 0.35),
        # Equal probabilities cannot be told apart: one cut between 0.4 and 0.2, or all.
        ([0.4, 0.4, 0.2], [1, 0, 0], 0.3),
        ([0.3, 0.3], [1, 0], 0.15),
        # A saturated sigmoid.
        ([0.0, 0.0], [1, 0], 0.5),
    ],
)
def test_a_threshold_by_hand(
    probabilities: list[float], labels: list[int], expected: float
) -> None:
    assert tune(probabilities, labels) == pytest.approx(expected, abs=1e-7)


def f1(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> float:
    given_label = probabilities.astype(np.float64) >= threshold
    return float(2 * (given_label & (labels == 1)).sum() / max(given_label.sum() + labels.sum(), 1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([3, 10, 1000]))
@pytest.mark.slow
def test_no_threshold_is_better(seed: int, rows: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = (random.integers(1, steps, (rows, 3)) / steps).astype(np.float32)
    labels = (random.random((rows, 3)) < random.random(3)).astype(np.int64)
    for label, threshold in enumerate(best_thresholds(probabilities, labels)):
        column, truth = probabilities[:, label], labels[:, label]
        # F1 changes at the probabilities that there are, and nowhere else.
        everywhere = [f1(column, truth, at) for at in (*column.astype(np.float64), 1.001)]
        assert f1(column, truth, threshold) >= max(everywhere) - 1e-12
        if f1(column, truth, 0.5) == f1(column, truth, threshold):
            assert threshold == 0.5


def test_each_label_has_its_own() -> None:
    probabilities = np.array([[0.4, 0.9], [0.3, 0.8], [0.2, 0.7]], dtype=np.float32)
    labels = np.array([[1, 1], [0, 0], [0, 0]])
    assert best_thresholds(probabilities, labels) == pytest.approx((0.35, 0.85))


def test_one_threshold_for_all_is_the_best_of_the_hundredths() -> None:
    # From 0.31 to 0.4 both labels are right about every row.
    probabilities = np.array([[0.4, 0.9], [0.3, 0.2], [0.2, 0.3]], dtype=np.float32)
    labels = np.array([[1, 1], [0, 0], [0, 0]])
    assert common_threshold(probabilities, labels) == 0.4
    assert common_threshold(probabilities, np.zeros_like(labels)) == 0.5


def test_a_label_with_few_rows_is_drawn_to_the_common_threshold() -> None:
    random = np.random.default_rng(0)
    frequent = (np.arange(400) % 2).astype(np.int64)
    rare = (np.arange(400) == 0).astype(np.int64)
    labels = np.stack([frequent, rare], 1)
    probabilities = np.clip(
        0.2 + 0.3 * labels + 0.05 * random.standard_normal(labels.shape), 0.0, 1.0
    ).astype(np.float32)
    own, common = best_thresholds(probabilities, labels), common_threshold(probabilities, labels)
    many, few = tune_thresholds(probabilities, labels)
    assert many == pytest.approx((200 * own[0] + 10 * common) / 210)
    assert few == pytest.approx((own[1] + 10 * common) / 11)


def test_without_rows_of_a_label_its_threshold_is_the_common_one() -> None:
    probabilities = np.array([[0.4, 0.9], [0.1, 0.8]], dtype=np.float32)
    labels = np.array([[1, 0], [0, 0]])
    assert tune_thresholds(probabilities, labels)[1] == common_threshold(probabilities, labels)
