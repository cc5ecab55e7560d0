"""The numbers behind the figures of a search."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ranklet.evaluation.report.figures.drawing import figure_svg
from ranklet.search.belief import BestAfter
from ranklet.search.drawings import search_figures
from ranklet.search.trial import SearchResult, Trial, Verdict


def trial(number: int, state: Any, *values: float) -> Trial:
    return Trial(number, {}, {"rank": number}, 100 + number, state, values)


TRIALS = (
    trial(0, "finished", 0.5, 0.8),
    trial(1, "paused", 0.95),
    trial(2, "finished", 0.5, 0.7),
    trial(3, "failed"),
    trial(4, "finished", 0.5, 0.9),
    trial(5, "diverged", math.nan),
)
RESULT = SearchResult(
    "accuracy", 150, (0.5, 1.0), TRIALS, 4, None, Verdict(False, ""), (0, 4), 0, 9.0
)
CURVE = BestAfter((1, 2, 3), (0.8, 0.85, 0.9), (0.7, 0.75, 0.8), (0.9, 0.9, 0.9))
FIGURES = search_figures(RESULT, CURVE, None)


def columns(figure: str) -> dict[str, Any]:
    return {part.name: dict(part.columns) for part in FIGURES[figure].numbers.series}


def test_the_best_so_far_is_one_of_those_that_finished() -> None:
    history = columns("history")
    assert history.pop("best so far") == {"trial": [0, 2, 4], "accuracy": [0.8, 0.8, 0.9]}
    assert history == {
        "paused": {"trial": [1], "accuracy": [0.95]},
        "finished": {"trial": [0, 2, 4], "accuracy": [0.8, 0.7, 0.9]},
        "diverged": {"trial": [5], "accuracy": [None]},
        "failed": {"trial": [3], "accuracy": [None]},
    }
    assert FIGURES["history"].numbers.marks == {"winner": 4}


def test_the_rungs_say_how_many_reached_them() -> None:
    assert FIGURES["rungs"].numbers.marks == {"50 %": 5, "100 %": 3}
    assert columns("rungs")["finished"] == {"trial": [0, 2, 4], "rungs": [2, 2, 2]}


def test_the_frontier_marks_winner_and_smallest() -> None:
    frontier = columns("frontier")
    assert frontier["finished"] == {"parameters": [100, 102, 104], "accuracy": [0.8, 0.7, 0.9]}
    assert frontier["winner"] == {"parameters": [104], "accuracy": [0.9]}
    assert frontier["smallest not worse"] == {"parameters": [100], "accuracy": [0.8]}
    assert FIGURES["frontier"].numbers.marks == {"budget": 150}


def test_the_curve_keeps_its_band() -> None:
    assert columns("best_after")["expected"] == {
        "trials": [1, 2, 3],
        "accuracy": [0.8, 0.85, 0.9],
        "low": [0.7, 0.75, 0.8],
        "high": [0.9, 0.9, 0.9],
    }


def test_states_differ_by_shape_and_by_colour() -> None:
    (axes,) = FIGURES["history"].figure().axes
    looks = {(line.get_marker(), line.get_color()) for line in axes.lines if len(line.get_xdata())}
    assert {("o", "#0072b2"), ("s", "#009e73"), ("v", "#cc79a7"), ("X", "#1c1f24")} <= looks


def test_what_lies_far_below_does_not_press_the_others_together() -> None:
    trials = (
        *(trial(n, "finished", 0.90 + n / 1_000) for n in range(9)),
        trial(9, "finished", 0.2),
    )
    result = SearchResult("accuracy", 9, (1.0,), trials, 8, None, Verdict(False, ""), (8,), 8, 9.0)
    drawn = search_figures(result, None, None)
    for name in ("history", "frontier"):
        (axes,) = drawn[name].figure().axes
        assert axes.get_ylim()[0] > 0.89
    (axes,) = drawn["history"].figure().axes
    shown = next(line for line in axes.lines if line.get_marker() == "o")
    assert axes.get_ylim()[0] < shown.get_ydata()[9] < 0.9


@pytest.mark.parametrize("name", FIGURES)
def test_equal_numbers_are_equal_drawings_and_json(name: str) -> None:
    again = search_figures(RESULT, CURVE, None)[name]
    assert figure_svg(FIGURES[name]) == figure_svg(again)
    assert json.loads(json.dumps(again.numbers.to_json(), allow_nan=False))["title"]


def test_nothing_is_drawn_without_numbers() -> None:
    nothing = SearchResult("accuracy", 9, (1.0,), (), None, None, Verdict(False, ""))
    assert search_figures(nothing, BestAfter((), (), (), ()), {"rank": 1.0}) == {}
