from __future__ import annotations

import pytest

from ranklet.evaluation.comparison.across_seeds import across_seeds


def test_mean_std_and_interval_by_hand() -> None:
    found = across_seeds([0.90, 0.92, 0.94])
    assert found.mean == pytest.approx(0.92)
    assert found.std == pytest.approx(0.02)
    # 4.3027 is Student's quantile for two degrees of freedom.
    half = 4.3027 * 0.02 / 3**0.5
    assert found.interval == pytest.approx((0.92 - half, 0.92 + half), abs=1e-6)


def test_one_seed_has_no_spread() -> None:
    found = across_seeds([0.9])
    assert (found.mean, found.std, found.interval) == (0.9, None, None)
