"""Schedules: values by hand, and their ends."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from ranklet.training.schedules import learning_rate_factor

# After 2 steps of warm-up, 4 steps at progress 0, 1/4, 1/2 and 3/4.
BY_HAND: dict[str, tuple[dict[str, Any], list[float]]] = {
    "polynomial": ({"power": 2.0}, [1.0, 9 / 16, 4 / 16, 1 / 16]),
    # Two half cosines of two steps: progress 0 and 1/2 of each.
    "cosine_with_restarts": ({"num_cycles": 2}, [1.0, 0.5, 1.0, 0.5]),
    # Four of one step each never leave the peak.
    "cosine_with_restarts of one step": ({"num_cycles": 4}, [1.0, 1.0, 1.0, 1.0]),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_after_the_warm_up_by_hand(case: str) -> None:
    options, expected = BY_HAND[case]
    schedule: Any = case.split()[0]
    factor = partial(
        learning_rate_factor, schedule=schedule, warmup_steps=2, total_steps=6, **options
    )
    factors = [factor(step) for step in range(1, 7)]
    assert factors == pytest.approx([0.5, 1.0, *expected])


def test_one_cycle_by_hand() -> None:
    factor = partial(learning_rate_factor, schedule="one_cycle", warmup_steps=3, total_steps=7)
    factors = [factor(step) for step in range(1, 8)]
    low, end = 0.04, 0.04 / 10_000
    quarter = (1 + math.cos(math.pi / 4)) / 2
    expected = [
        *(low, (low + 1) / 2, 1.0),
        *(end + (1 - end) * part for part in (quarter, 0.5, 1 - quarter, 0.0)),
    ]
    assert factors == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("warmup", [0, 1])
def test_one_cycle_without_a_rise_begins_at_the_peak(warmup: int) -> None:
    factor = partial(learning_rate_factor, schedule="one_cycle", warmup_steps=warmup)
    assert factor(1, total_steps=1) == 1.0
    assert factor(1, total_steps=3) == 1.0
    assert factor(3, total_steps=3) == pytest.approx(4e-6)


@pytest.mark.parametrize("schedule", ["cosine_with_restarts", "polynomial", "one_cycle", "cosine"])
def test_factors_stay_between_zero_and_one(schedule: Any) -> None:
    for warmup in (0, 1, 7, 50):
        factor = partial(
            learning_rate_factor, schedule=schedule, warmup_steps=warmup, total_steps=50
        )
        values = [factor(step) for step in range(1, 51)]
        assert all(0 < value <= 1 for value in values)
        assert max(values) == 1.0
