from __future__ import annotations

import pytest

from ranklet.data.audit.learning_curve import gain_by_doubling


def test_a_power_law_goes_on_and_flattens() -> None:
    rows = (300, 900, 2_000)
    errors = [3 * count**-0.5 for count in rows]
    gain, (low, high) = gain_by_doubling(rows, errors, (10**9,) * 3, present=3_000)
    promise = 3 * 3_000**-0.5 - 3 * 6_000**-0.5
    assert gain == pytest.approx(0.7 * promise, rel=0.05)
    assert (low, high) == pytest.approx((0.4 * promise, promise), rel=0.05)


def test_where_the_curve_is_flat_nothing_is_promised() -> None:
    gain, (low, high) = gain_by_doubling((300, 900, 2_000), (0.3, 0.3, 0.31), (10**6,) * 3, 3_000)
    assert gain == low == 0
    assert high < 0.01


def test_few_scored_texts_make_the_interval_wide() -> None:
    def width(scored: int) -> float:
        _, (low, high) = gain_by_doubling((300, 900), (0.3, 0.2), (scored, scored), 900)
        return high - low

    assert width(100) > 2 * width(10_000)
