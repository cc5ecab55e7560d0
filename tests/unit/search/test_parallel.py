"""Where settings lie on the axes of parallel coordinates."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranklet.search.parallel import parallel_coordinates, scale_of
from ranklet.search.trial import SearchResult, Trial, Verdict


def test_values_over_a_decade_lie_on_a_logarithmic_axis() -> None:
    assert scale_of([1e-4, 1e-3, 1e-2]).places == pytest.approx([0, 0.5, 1])
    assert scale_of([1, 2, 9]).places == pytest.approx([0, 1 / 8, 1])
    assert scale_of([0.0, 0.01, 1.0]).places == pytest.approx([0, 0.01, 1])


def test_words_and_lists_are_categories() -> None:
    scale = scale_of([["query", "value"], "all-linear", ["query", "value"], True])
    assert scale.places == pytest.approx([0.5, 1 / 6, 0.5, 5 / 6])
    assert [words for _, words in scale.ticks] == ["all-linear", "query, value", "true"]


def test_a_number_among_words_is_a_word() -> None:
    assert [words for _, words in scale_of(["none", 8, 16]).ticks] == ["16", "8", "none"]


def test_where_a_setting_is_missing_there_is_no_place() -> None:
    low, missing, high = scale_of([1, None, 3]).places
    assert (low, high) == (0, 1)
    assert math.isnan(missing)


def test_one_value_lies_in_the_middle() -> None:
    assert scale_of([3, 3]).places == [0.5, 0.5]
    assert scale_of([3, 3]).ticks == [(0.5, "3")]


@given(st.lists(st.floats(1e-9, 1e9) | st.integers(-99, 99), min_size=1, max_size=40))
def test_ticks_ascend_within_the_axis_and_keep_apart(values: list[float]) -> None:
    scale = scale_of(values)
    places = [place for place, _ in scale.ticks]
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in (*places, *scale.places))
    gaps = [after - before for before, after in pairwise(places)]
    assert all(gap >= 0.07 for gap in gaps) or len(places) == 2
    assert (len(places) > 1) == (len(set(values)) > 1)


def test_many_words_keep_apart_too() -> None:
    scale = scale_of([f"word {number:03}" for number in range(90)])
    places = [place for place, _ in scale.ticks]
    assert len(places) < 15
    assert min(b - a for a, b in pairwise(places)) >= 0.07


def test_only_finished_trials_reach_the_axis_of_values() -> None:
    trials = (
        Trial(0, {}, {"rank": 2, "layers": None}, 9, "finished", (0.8,)),
        Trial(1, {}, {"rank": 4}, 9, "paused", (0.9,)),
        Trial(2, {}, {"rank": 8}, 9, "finished", (0.7,)),
    )
    result = SearchResult("macro_f1", 9, (1.0,), trials, 0, None, Verdict(False, ""))
    numbers = parallel_coordinates(result).numbers
    assert {part.name: part.columns["setting"] for part in numbers.series} == {
        "rank": [2, 4, 8],
        "layers": ["none", None, None],
        "macro F1": [0.8, None, 0.7],
    }
    (axes,) = parallel_coordinates(result).figure().axes
    paused = next(line for line in axes.lines if line.get_linestyle() == ":")
    assert math.isnan(paused.get_ydata()[-1])
