"""Allocation by hand: ties, and a budget that is met exactly."""

from __future__ import annotations

from ranklet.budget.allocation import Candidate, allocate, by_depth, smallest_budget, uniform


def candidates(*modules: tuple[str, int]) -> list[Candidate]:
    return [Candidate(name, cost=10, max_rank=4, layer=layer) for name, layer in modules]


def test_ties_go_to_the_lower_unit_then_the_higher_layer_then_the_name() -> None:
    given = candidates(("b", 1), ("a", 1), ("low", 0), ("high", 2))
    bought: list[dict[str, int]] = [allocate(given, uniform, budget) for budget in (10, 20, 30, 50)]
    assert bought == [
        {"b": 0, "a": 0, "low": 0, "high": 1},
        {"b": 0, "a": 1, "low": 0, "high": 1},
        {"b": 1, "a": 1, "low": 0, "high": 1},
        {"b": 1, "a": 1, "low": 1, "high": 2},
    ]


def test_ranks_by_depth_are_proportional_to_the_layer() -> None:
    given = candidates(("low", 0), ("high", 2))
    assert allocate(given, by_depth, 40) == {"low": 1, "high": 3}


def test_the_first_unit_costs_what_then_trains_besides() -> None:
    with_bias = Candidate("a", cost=10, max_rank=3, layer=0, entry=5)
    assert [allocate([with_bias], uniform, budget)["a"] for budget in (14, 15, 24, 25, 99)] == [
        *(0, 1, 1, 2, 3)
    ]
    assert smallest_budget([with_bias, *candidates(("b", 0))], fixed=7) == 17
