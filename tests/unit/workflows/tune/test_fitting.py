"""Points that do not fit the budget are lowered, or refused with what is too much."""

from __future__ import annotations

from typing import Any

import pytest

from ranklet.errors import BudgetExceededError
from ranklet.recipe import Recipe
from ranklet.workflows._tune.fitting import fit_point

RATE = {"training.learning_rate": 1e-3}


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate({"data": {"train": "x.csv"}, "budget": 1000, **changes})


def hundred_a_rank(trained: Recipe) -> int:
    return 100 * trained.adapter.rank + 50


@pytest.mark.parametrize(("rank", "fits"), [(1, 1), (4, 4), (9, 9), (10, 9), (64, 9)])
def test_the_highest_rank_that_fits_is_taken(rank: int, fits: int) -> None:
    fitted = fit_point(recipe(), {**RATE, "adapter.rank": rank}, hundred_a_rank)
    assert fitted.settings == {**RATE, "adapter.rank": fits}
    assert fitted.parameters == 100 * fits + 50 <= 1000
    assert not fitted.reason


def test_a_rank_that_is_not_searched_stays_and_its_excess_is_said() -> None:
    fitted = fit_point(recipe(adapter={"rank": 16}), RATE, hundred_a_rank)
    assert fitted.reason == "trains 1,650 parameters, 650 more than 1,000"
    assert fitted.parameters == 1650


def test_not_even_rank_1_fits() -> None:
    fitted = fit_point(recipe(budget=100), {"adapter.rank": 8}, hundred_a_rank)
    assert fitted.reason == "trains 850 parameters, 750 more than 100"


def test_what_contradicts_or_holds_no_adapter_is_a_reason_too() -> None:
    contradicting = fit_point(recipe(adapter={"fit": 500}), {"adapter.rank": 2}, hundred_a_rank)
    assert "adapter" in contradicting.reason

    def nothing_fits(trained: Recipe) -> int:
        raise BudgetExceededError("the budget holds no adapter", 100, 10)

    assert fit_point(recipe(), RATE, nothing_fits).reason == "the budget holds no adapter"
