"""The sampler is asked anew for every trial, and learns from what the trials said."""

from __future__ import annotations

import pytest

from ranklet.recipe.space import parse_space
from ranklet.search.asking import ask
from ranklet.search.trial import Trial, TrialState

pytest.importorskip("optuna", reason="the extra tune is not installed")

RATE = "training.learning_rate"
SPACE = parse_space({RATE: {"log": [1e-5, 1e-1]}, "adapter.rank": [2, 4, 8]})


def trial(number: int, rate: float, value: float | None, state: TrialState = "paused") -> Trial:
    point = {RATE: rate, "adapter.rank": 4}
    return Trial(number, point, point, 100, state, () if value is None else (value,))


def searched(count: int, divergent: float) -> list[Trial]:
    """Search for a rate of 1e-3; above a rate, trainings diverge."""
    trials: list[Trial] = []
    for number in range(count):
        point = ask(SPACE, trials, seed=0)
        rate = point[RATE]
        value = None if rate > divergent else 1 - abs(rate - 1e-3) / (rate + 1e-3)
        state: TrialState = "diverged" if value is None else "paused"
        values = () if value is None else (value,)
        trials.append(Trial(number, point, point, 100, state, values))
    return trials


def test_equal_questions_have_equal_answers_and_others_do_not() -> None:
    known = [trial(0, 1e-3, 0.5), trial(1, 1e-2, 0.4)]
    assert ask(SPACE, known, seed=0) == ask(SPACE, known, seed=0)
    assert ask(SPACE, known, seed=0) != ask(SPACE, known, seed=1)
    assert ask(SPACE, known, seed=0) != ask(SPACE, known, seed=0, attempt=1)
    assert ask(SPACE, known[:1], seed=0) != ask(SPACE, known, seed=0)  # no start is repeated


def test_points_are_of_the_space() -> None:
    for one in searched(15, divergent=1.0):
        assert 1e-5 <= one.point[RATE] <= 1e-1
        assert one.point["adapter.rank"] in (2, 4, 8)


def test_what_diverges_is_left_alone_after_a_while() -> None:
    trials = searched(40, divergent=2e-2)
    early = [one.state for one in trials[:12]].count("diverged") / 12
    late = [one.state for one in trials[20:]].count("diverged") / 20
    assert early > 0.1
    assert late < early / 2


def test_better_regions_are_tried_more_often() -> None:
    rates = [one.point[RATE] for one in searched(40, divergent=1.0)[20:]]
    assert sum(1e-4 < rate < 1e-2 for rate in rates) > len(rates) * 0.7


def test_running_trials_and_those_over_budget_are_known_without_a_value() -> None:
    known = [trial(n, 1e-3, 0.5) for n in range(11)]
    known += [trial(11, 1e-3, None, "waiting"), trial(12, 1e-3, None, "over budget")]
    assert ask(SPACE, known, seed=0)[RATE] > 0
    assert ask(SPACE, known, seed=0, frontier=True)[RATE] > 0
