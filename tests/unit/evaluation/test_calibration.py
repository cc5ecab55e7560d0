"""Calibration by hand: bins, errors, Brier score, temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.evaluation import metrics
from ranklet.evaluation.calibration import (
    Scaling,
    at_temperature,
    brier_score,
    error_by_chance,
    expected_calibration_error,
    fit_scaling,
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


def drawn(rows: int, exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits whose margins say, to this power, how sure they may be."""
    random = np.random.default_rng(1)
    logits = random.uniform(-2, 2, (rows, 3))
    distances = logits.max(1, keepdims=True) - logits
    powers = np.exp(-(distances**exponent))
    shares = powers / powers.sum(1, keepdims=True)
    return logits, (shares.cumsum(1) < random.random((rows, 1))).sum(1)


@pytest.mark.parametrize("exponent", [0.6, 1.0, 2.0])
def test_temperature_and_exponent_come_back(exponent: float) -> None:
    scaling = fit_scaling(*drawn(40_000, exponent))
    assert scaling.exponent == pytest.approx(exponent, rel=0.05)
    assert scaling.temperature == pytest.approx(1.0, rel=0.05)


def test_an_exponent_mends_what_no_temperature_does() -> None:
    logits, labels = drawn(4_000, 2.5)
    fitted, rest = slice(0, 1_000), slice(1_000, None)

    def error(scaling: Scaling) -> float:
        shares = np.exp(logits[rest]) / np.exp(logits[rest]).sum(1, keepdims=True)
        mended = at_temperature(shares, scaling.temperature, scaling.exponent)
        right = mended.argmax(1) == labels[rest]
        return expected_calibration_error(reliability_bins(mended.max(1), right))

    with_exponent = fit_scaling(logits[fitted], labels[fitted])
    alone = Scaling(fit_temperature(logits[fitted], labels[fitted]))
    assert error(with_exponent) < 0.025
    assert error(alone) > 0.03


def test_few_rows_leave_the_exponent_near_one() -> None:
    logits, labels = drawn(40_000, 2.5)
    exponents = [fit_scaling(logits[:rows], labels[:rows]).exponent for rows in (10, 100, 10_000)]
    assert 0.8 < exponents[0] < exponents[1] < exponents[2]
    assert exponents[0] < 1.5


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_the_unit_of_logits_is_of_no_account(unit: float) -> None:
    logits, labels = drawn(500, 1.5)
    plain, other = fit_scaling(logits, labels), fit_scaling(unit * logits, labels)
    assert other.exponent == pytest.approx(plain.exponent, rel=1e-3)
    assert other.temperature == pytest.approx(unit * plain.temperature, rel=1e-3)


def test_where_all_rows_are_right_the_surest_is_as_sure_as_their_number_allows() -> None:
    labels = np.arange(96) % 12
    assert fit_scaling(np.eye(12)[labels], labels).exponent == pytest.approx(1.0)


def test_a_scaling_undoes_another() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    scaled = at_temperature(shares, 2.0, 3.0)
    assert at_temperature(scaled, 2.0**-3, 1 / 3) == pytest.approx(shares)


def test_logits_that_hold_nothing_are_not_scaled() -> None:
    assert fit_scaling(np.zeros((4, 2)), np.array([0, 1, 0, 1])) == Scaling()


def test_perfect_probabilities_have_the_error_that_is_said() -> None:
    random = np.random.default_rng(0)
    confidence = 1 - 0.6 * random.random(300) ** 3
    errors = [
        expected_calibration_error(reliability_bins(confidence, random.random(300) < confidence))
        for _ in range(400)
    ]
    expected = error_by_chance(reliability_bins(confidence, confidence > 0))
    assert expected == pytest.approx(np.mean(errors), rel=0.05)
    assert error_by_chance(reliability_bins(np.ones(5), np.ones(5, dtype=bool))) == 0


def test_agreement_by_hand():
    confusion = np.array([[20, 5], [10, 15]])  # the table of the textbooks on kappa
    assert metrics.cohen_kappa(confusion) == pytest.approx(0.4)
    expected = (20 * 15 - 5 * 10) / math.sqrt(25 * 25 * 30 * 20)
    assert metrics.matthews_correlation(confusion) == pytest.approx(expected)
    alone = np.array([[[7, 0], [0, 0]], [[3, 4], [0, 0]]])
    assert metrics.cohen_kappa(alone).tolist() == [0.0, 0.0]
    assert metrics.matthews_correlation(alone).tolist() == [0.0, 0.0]
