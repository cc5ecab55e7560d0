"""The solver, for modules and budgets nobody thought of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.budget.allocation import (
    Candidate,
    Worth,
    allocate,
    by_depth,
    by_gain,
    smallest_budget,
    uniform,
)

MODES = ("uniform", "by_depth", "measured")


def cost_of(candidates: Iterable[Candidate], ranks: Mapping[str, int]) -> int:
    """Return the parameters of all adapters together."""
    return sum(
        each.cost * ranks[each.module] + (each.entry if ranks[each.module] else 0)
        for each in candidates
    )


@st.composite
def problems(draw: Any, with_entry: bool = False) -> tuple[list[Candidate], Worth]:
    candidates = [
        Candidate(
            module=f"layer.{index}",
            cost=draw(st.integers(1, 40)),
            max_rank=draw(st.integers(1, 12)),
            layer=draw(st.integers(0, 5)),
            entry=draw(st.integers(0, 9)) if with_entry else 0,
        )
        for index in range(draw(st.integers(1, 8)))
    ]
    mode = draw(st.sampled_from(MODES))
    if mode != "measured":
        return candidates, uniform if mode == "uniform" else by_depth
    # Few different numbers, so that ties happen.
    gain = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5])
    gains = {
        each.module: sorted(draw(st.lists(gain, max_size=14)), reverse=True) for each in candidates
    }
    return candidates, by_gain(gains)


@settings(max_examples=150, deadline=None)
@given(problems(with_entry=True), st.integers(0, 3000))
def test_never_over_and_under_one_unit_unused(
    problem: tuple[list[Candidate], Worth], budget: int
) -> None:
    candidates, worth = problem
    ranks = allocate(candidates, worth, budget)
    left = budget - cost_of(candidates, ranks)
    assert left >= 0
    assert all(0 <= ranks[each.module] <= each.max_rank for each in candidates)
    assert all(
        left < each.unit_cost(ranks[each.module] + 1)
        for each in candidates
        if ranks[each.module] < each.max_rank
    )
    assert any(ranks.values()) == (budget >= smallest_budget(candidates, 0))


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(0, 1500), st.integers(0, 200))
def test_a_larger_budget_uses_no_fewer_parameters_and_buys_no_less(
    problem: tuple[list[Candidate], Worth], budget: int, more: int
) -> None:
    candidates, worth = problem
    smaller, larger = (allocate(candidates, worth, each) for each in (budget, budget + more))
    assert cost_of(candidates, smaller) <= cost_of(candidates, larger)
    gained = [bought(candidates, worth, ranks) for ranks in (smaller, larger)]
    assert gained[0] <= gained[1] + 1e-9


@settings(max_examples=200, deadline=None)
@given(problems(with_entry=True), st.integers(0, 3000), st.randoms(use_true_random=False))
def test_the_order_of_the_modules_does_not_matter(
    problem: tuple[list[Candidate], Worth], budget: int, random: Any
) -> None:
    candidates, worth = problem
    shuffled = random.sample(candidates, len(candidates))
    assert allocate(candidates, worth, budget) == allocate(shuffled, worth, budget)
    assert list(allocate(shuffled, worth, budget)) == [each.module for each in shuffled]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_choice_of_ranks_gains_more_by_a_unit(data: Any) -> None:
    """Against every choice there is: optimal with equal costs, else short of less than a unit."""
    equal = data.draw(st.booleans())
    number = data.draw(st.integers(1, 3))
    candidates = [
        Candidate(f"m{index}", 7 if equal else data.draw(st.integers(1, 9)), 4, index)
        for index in range(number)
    ]
    numbers = st.lists(st.floats(0, 10), min_size=4, max_size=4)
    gains = {each.module: sorted(data.draw(numbers), reverse=True) for each in candidates}
    budget = data.draw(st.integers(0, 90))
    ranks = allocate(candidates, by_gain(gains), budget)

    def gain(chosen: dict[str, int]) -> float:
        return sum(sum(gains[name][:rank]) for name, rank in chosen.items())

    choices = [dict(zip(gains, chosen, strict=True)) for chosen in product(range(5), repeat=number)]
    best = max(gain(each) for each in choices if cost_of(candidates, each) <= budget)
    dearest = (
        max(gains[name][rank] for name, rank in ranks.items() if rank < 4)
        if any(rank < 4 for rank in ranks.values())
        else 0.0
    )
    assert gain(ranks) >= best - (0 if equal else dearest) - 1e-9


def bought(candidates: list[Candidate], worth: Worth, ranks: dict[str, int]) -> float:
    """Return the worth of all units, each by its cost where worth is a gain per parameter."""
    return sum(
        worth(each, unit) * each.cost
        for each in candidates
        for unit in range(1, ranks[each.module] + 1)
    )
