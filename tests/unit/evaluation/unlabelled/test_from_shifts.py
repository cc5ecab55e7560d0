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
from ranklet.evaluation.unlabelled.out_of_range import (
    ModelOutputs,
    PerturbedOutputs,
    find_doubt,
    remoteness,
)

RIGHT = np.array([True, True, True, False])


def answered(confidence: list[float], far: float = 0.1) -> ModelOutputs:
    """Answers for texts whose first class is the most probable one."""
    sure = np.array(confidence)
    return ModelOutputs(np.stack([sure, 1 - sure], axis=1), np.full(len(sure), far))


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
    shifted = [PerturbedOutputs("typos", rows, answered([0.7, 0.6, 0.6, 0.55], far=0.2))]
    found = expect(known, labels, shifted, known)
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
    known = ModelOutputs(np.stack([sure, 1 - sure], 1), np.full(400, 0.1))
    # Half of what is above one half is lost, and a text is right as often as it then is sure.
    lower = 0.5 + (sure - 0.5) / 2
    worse = ModelOutputs(np.stack([lower, 1 - lower], 1), np.full(400, 0.1))
    found = expect(known, labels, [PerturbedOutputs("typos", np.arange(400), worse)], worse, seed=1)
    assert found.accuracy < (labels == 0).mean()
    assert 0 <= found.interval[0] <= found.accuracy <= found.interval[1] <= 1


def test_remoteness_is_the_distance_to_the_tenth_nearest() -> None:
    angles = np.radians(np.arange(0, 110, 10))
    known = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    # Of eleven, from 0 to 100 degrees, the tenth nearest to the first is at 90, itself counted.
    assert remoteness(known, 5 * known[:1]) == pytest.approx([1.0], abs=1e-6)
    own = remoteness(known, known[:1], np.array([0]))
    assert own == pytest.approx([1 - np.cos(np.radians(100))], abs=1e-6)
    assert remoteness(known[:2], known[:1], np.array([0])) == pytest.approx(
        [1 - np.cos(np.radians(10))], abs=1e-6
    )


def test_texts_beyond_every_shift_are_told() -> None:
    known, rows = answered([0.9, 0.9]), np.arange(2)
    shifted = [
        PerturbedOutputs("typos", rows, answered([0.8, 0.8], far=0.2)),
        PerturbedOutputs("typos", rows, answered([0.7, 0.7], far=0.32)),
    ]
    # Distance grows by 1.08 for a point of confidence; the farthest from that line is 0.004 above.
    assert find_doubt(known, shifted, answered([0.8, 0.8], far=0.2)) is None
    another = find_doubt(known, shifted, answered([0.9, 0.9], far=0.3))
    assert another is not None
    assert "another kind" in another
    beyond = find_doubt(known, shifted, answered([0.6, 0.6], far=0.4))
    assert beyond is not None
    assert "under every shift" in beyond
    assert "(0.32; unshifted 0.10)" in beyond
