"""What shifted texts teach about accuracy, by values computed by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ranklet.evaluation.unlabelled.from_shifts import (
    Samples,
    expect,
    expected_loss,
    fit_rates,
    relative_error,
)
from ranklet.evaluation.unlabelled.source import ModelOutputs, PerturbedOutputs

RIGHT = np.array([True, True, True, False])


def answered(confidence: list[float] | np.ndarray) -> ModelOutputs:
    """Answers for texts whose first class is the most probable one."""
    sure = np.array(confidence)
    states = np.zeros((len(sure), 2), dtype=np.float32)
    return ModelOutputs(np.stack([sure, 1 - sure], axis=1), states)


def check_rates(fit: Callable[..., np.ndarray]) -> None:
    # Two points of accuracy for one of the score; the penalty takes 1 % of it.
    fallen = np.array([[0.05], [0.1], [0.2]])
    assert fit(fallen, 2 * fallen[:, 0]) == pytest.approx([2 / 1.01])


def test_rates_of_one_score_by_hand() -> None:
    check_rates(fit_rates)


def test_a_fit_with_an_intercept_is_found_out() -> None:
    def sabotaged(fallen: np.ndarray, lost: np.ndarray) -> np.ndarray:
        return fit_rates(fallen - fallen.mean(0), lost)

    with pytest.raises(AssertionError):
        check_rates(sabotaged)


def test_a_score_that_never_falls_has_no_rate() -> None:
    rates = fit_rates(np.array([[0.1, 0.0], [0.2, 0.0]]), np.array([0.1, 0.2]))
    assert rates[1] == 0.0


def test_errors_are_those_on_kinds_left_out() -> None:
    # Fitted to the other kind: 1 and 3 points for a point, less 1 %; each is off by the ratio.
    samples = Samples(np.array(["a", "b"]), np.array([[0.1], [0.1]]), np.array([0.1, 0.3]))
    on_a, on_b = abs(0.1 - 0.3 / 1.01) / (0.3 / 1.01), abs(0.3 - 0.1 / 1.01) / (0.1 / 1.01)
    assert relative_error(samples) == pytest.approx(on_a + 0.95 * (on_b - on_a))


def test_chance_counts_once_and_a_shift_at_its_rate() -> None:
    own = np.tile([[1.0], [0.8]], (200, 1))
    loss, share = expected_loss(own, own.copy(), np.array([3.0]))
    assert (loss, share) == (0.0, 0.0)
    loss, share = expected_loss(own, own - 0.3, np.array([3.0]))
    # Variance (3 * 0.1) ** 2 / 400 of each, against 0.9 ** 2.
    assert share == pytest.approx(1 - 2 * 0.09 / 400 / 0.81)
    assert loss == pytest.approx(share * 0.9 + (1 - share) * 0.3)
    faint, none = expected_loss(own, own - 0.001, np.array([3.0]))
    assert (faint, none) == (pytest.approx(0.001), 0.0)


def test_the_known_texts_themselves_have_the_known_accuracy() -> None:
    known = answered([0.9, 0.8, 0.7, 0.6])
    labels = np.where(RIGHT, 0, 1)
    rows = np.arange(4)
    shifted = [PerturbedOutputs("typos", rows, answered([0.7, 0.6, 0.6, 0.55]))]
    found = expect(known, labels, shifted, known.probabilities)
    assert found.accuracy == pytest.approx(0.75)
    assert found.interval[0] < 0.75 < found.interval[1]
    assert found.estimators == pytest.approx(
        {
            "mean confidence": 0.75,
            "difference of confidences": 0.75,
            "thresholded confidence": 0.75,
            "thresholded entropy": 0.75,
        }
    )
    assert found.warning is None


def test_less_sure_texts_are_expected_to_be_less_accurate() -> None:
    generator = np.random.default_rng(0)
    sure = 1 - 0.4 * generator.random(400)
    labels = (generator.random(400) > sure).astype(np.int64)
    known = answered(sure)
    # Half of what is above one half is lost, and a text is right as often as it then is sure.
    lower = 0.5 + (sure - 0.5) / 2
    worse = answered(lower)
    shifted = [PerturbedOutputs("typos", np.arange(400), worse)]
    found = expect(known, labels, shifted, worse.probabilities, seed=1)
    assert found.accuracy < (labels == 0).mean()
    assert 0 <= found.interval[0] <= found.accuracy <= found.interval[1] <= 1


def test_less_accurate_than_under_every_shift_is_told() -> None:
    known = answered([0.9, 0.9, 0.9, 0.9])
    shifted = [PerturbedOutputs("typos", np.arange(4), answered([0.8, 0.8, 0.8, 0.8]))]
    found = expect(known, np.zeros(4, dtype=np.int64), shifted, answered([0.5] * 4).probabilities)
    assert found.warning is not None
    assert "below that of every shift" in found.warning
