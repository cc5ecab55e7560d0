from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from ranklet.data.audit.label_slips import _loss, _slips_to_given, fit_slips


@pytest.mark.parametrize("sharpness", [3.0, None])
def test_the_gradient_is_that_of_the_loss(sharpness: float | None) -> None:
    draw = np.random.default_rng(0)
    views = draw.dirichlet(np.ones(3), (2, 50))
    slip = _slips_to_given(views.mean(axis=0))
    values = np.array([0.2, -0.3, np.log(0.15)])

    def part(at: int) -> object:
        return lambda x: _loss(x, np.log(views), slip, sharpness)[at]

    assert check_grad(part(0), part(1), values) < 1e-6


def test_slips_of_two_classes_go_to_the_other_one() -> None:
    mean = np.array([[0.7, 0.3], [0.2, 0.8]])
    # The first column is the given class: a text of the other one gives it by a slip.
    assert _slips_to_given(mean) == pytest.approx(np.array([[0.0, 1.0], [0.0, 1.0]]))


def test_posterior_by_hand() -> None:
    # One view, sharpness 1: 0.2 for the given class; slips of 10 %.
    view = np.tile([[0.2, 0.8]], (4, 1))
    slips = fit_slips(np.zeros(4, int), [view], rate=0.1, sharpness=1.0)
    assert slips.wrong == pytest.approx(0.1 * 0.8 / (0.1 * 0.8 + 0.9 * 0.2))
    assert slips.likely.tolist() == [1] * 4
    assert slips.rate == pytest.approx(0.1)


def test_more_classes_than_are_looked_at() -> None:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 150, 900)
    view = np.full((900, 150), 0.2 / 149)
    view[np.arange(900), truth] = 0.8
    given = truth.copy()
    given[:90] = (truth[:90] + 75) % 150
    slips = fit_slips(given, [view])
    assert np.flatnonzero(slips.wrong > 0.5).tolist() == list(range(90))
    assert slips.likely[:90].tolist() == truth[:90].tolist()
    assert slips.rate == pytest.approx(0.1, abs=0.02)
