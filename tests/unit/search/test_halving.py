"""Who goes on from a rung, and whose checkpoints can go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranklet.search.halving import how_many_go_on, promoted, rungs_of
from ranklet.search.trial import Trial


def at_first_rung(values: list[float]) -> list[Trial]:
    return [Trial(n, {}, {}, 10, "paused", (value,)) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [(1, (1.0,)), (2, (1 / 3, 1.0)), (3, (1 / 3, 1.0)), (9, (1 / 9, 1 / 3, 1.0))],
)
def test_trials_pause_where_their_validations_differ(epochs: int, rungs: tuple[float, ...]) -> None:
    assert rungs_of([(epoch + 1) / epochs for epoch in range(epochs)]) == rungs


def test_the_best_third_goes_on_and_the_recipe_as_it_is_always() -> None:
    trials = at_first_rung([0.1, 0.9, 0.5, 0.8, 0.4, 0.7])
    assert promoted(trials, 0, 6) == (0, 1, 3)


def test_of_27_trials_9_and_then_3_go_on() -> None:
    trials = at_first_rung([1.0, *(n / 100 for n in range(26))])
    first = promoted(trials, 0, 27)
    assert len(first) == 9
    again = [
        Trial(t.number, {}, {}, 10, "paused", (*t.values, t.values[0])) if t.number in first else t
        for t in trials
    ]
    assert len(promoted(again, 1, 9)) == 3


def test_equal_trials_go_on_by_their_number() -> None:
    assert promoted(at_first_rung([0.5] * 9), 0, 9) == (0, 1, 2)


def test_those_without_a_value_do_not_go_on() -> None:
    trials = [*at_first_rung([0.1, 0.2, 0.3]), Trial(3, {}, {}, 10, "failed")]
    assert 3 not in promoted(trials, 0, 12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 10))
def test_who_is_not_among_the_best_so_far_never_will_be(values: list[float], more: int) -> None:
    wanted = len(values) + more
    reach = set(promoted(at_first_rung(values), 0, wanted))
    assert len(reach) <= how_many_go_on(wanted) + 1
    for later in ([0.0] * more, [1.0] * more):
        going_on = promoted(at_first_rung([*values, *later]), 0, wanted)
        assert {number for number in going_on if number < len(values)} <= reach
