"""Calibration by hand: bins, errors, Brier score, temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.evaluation import metrics
from ranklet.evaluation.calibration import (
    at_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)


def test_bins_and_error_by_hand():
    confidence = np.array([0.50, 0.52, 0.90, 0.92, 1.0], dtype=np.float64)
    right = np.array([True, False, True, True, False])
    bins = reliability_bins(confidence, right)
    # Bins of a fifteenth: (7, 8], (13, 14], and (14, 15] of them.
    assert [each.rows for each in bins] == [2, 2, 1]
    assert [round(each.low * 15) for each in bins] == [7, 13, 14]
    assert [each.accuracy.value for each in bins] == [0.5, 1.0, 0.0]
    assert [each.confidence for each in bins] == pytest.approx([0.51, 0.91, 1.0])
    expected = (2 * 0.01 + 2 * 0.09 + 1 * 1.0) / 5
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    bins = reliability_bins(np.array([0.2, 0.0]), np.array([True, True]))
    assert [(each.low, each.high) for each in bins] == [(0.0, 1 / 15), (2 / 15, 3 / 15)]


def test_brier_sums_over_classes():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    expected = ((0.3**2 + 0.2**2 + 0.1**2) + (1 + 1)) / 2
    assert brier_score(probabilities, np.array([0, 2])) == pytest.approx(expected)
    assert probabilities[0, 0] == 0.7, "the probabilities of the caller are not touched"


def test_a_temperature_by_hand():
    # Three of four rows right by a logit of 1, each label with 5/6: the best softmax gives them
    # (3 * 5/6 + 1/6) / 4 = 2/3, a logit of ln 2.
    logits = np.array([[1.0, 0.0]] * 4)
    labels = np.array([0, 0, 0, 1])
    assert fit_temperature(logits, labels) == pytest.approx(1 / math.log(2), rel=1e-12)
    scaled = at_temperature(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 1 / math.log(3))
    assert scaled[0] == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_where_all_rows_are_right_confidence_is_what_their_number_allows(scale: float) -> None:
    labels = np.arange(96) % 12
    logits = scale * np.eye(12)[labels]
    powers = np.exp(logits / fit_temperature(logits, labels))
    confidence = (powers / powers.sum(1, keepdims=True)).max(1)
    assert confidence == pytest.approx(97 / 98, abs=1e-6)


def test_where_all_rows_are_right_the_surest_is_no_surer_than_it_must() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 400)
    logits = 0.01 * (8 * np.eye(5)[labels] + random.normal(size=(400, 5)))
    temperature = fit_temperature(logits[:200], labels[:200])
    shares = np.exp(logits[200:]) / np.exp(logits[200:]).sum(1, keepdims=True)

    def error(probabilities: np.ndarray) -> float:
        right = probabilities.argmax(1) == labels[200:]
        assert right.all()
        return expected_calibration_error(reliability_bins(probabilities.max(1), right))

    assert error(shares) > 0.7
    assert error(at_temperature(shares, temperature)) < 0.02


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ([[2.0, 0.0], [0.0, 3.0]], [1, 0]),  # all wrong: the flatter the better
        ([[1.0, 1.0], [0.0, 0.0]], [1, 0]),  # says nothing
        ([[1.0, 1.0], [2.0, 2.0]], [1, 0]),  # says nothing at all
        ([[-0.55648884, 0.78754082, -0.00344985]] * 3, [0, 1, 2]),  # a slope of rounding errors
        ([[math.nan, 0.0], [0.0, 1.0]], [1, 0]),  # a model that diverged
    ],
)
def test_a_temperature_without_a_minimum_stays_at_one(logits, labels):
    assert fit_temperature(np.array(logits), np.array(labels)) == 1.0


def test_a_probability_of_zero_stays_zero_at_any_temperature():
    found = at_temperature(np.array([[1.0, 0.0], [0.5, 0.5]], dtype=np.float32), 5.0)
    assert found.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_agreement_by_hand():
    confusion = np.array([[20, 5], [10, 15]])  # the table of the textbooks on kappa
    assert metrics.cohen_kappa(confusion) == pytest.approx(0.4)
    expected = (20 * 15 - 5 * 10) / math.sqrt(25 * 25 * 30 * 20)
    assert metrics.matthews_correlation(confusion) == pytest.approx(expected)
    alone = np.array([[[7, 0], [0, 0]], [[3, 4], [0, 0]]])
    assert metrics.cohen_kappa(alone).tolist() == [0.0, 0.0]
    assert metrics.matthews_correlation(alone).tolist() == [0.0, 0.0]
