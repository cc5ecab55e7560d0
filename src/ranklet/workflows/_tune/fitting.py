"""A point of the space as a recipe that keeps the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ranklet.errors import AdapterError, BudgetExceededError, RecipeError
from ranklet.recipe import Recipe
from ranklet.search.sampling import with_point
from ranklet.search.trial import Point

RANK = "adapter.rank"


@dataclass(frozen=True)
class FittedPoint:
    """A point whose ranks were made to fit.

    Attributes:
        settings: What is trained, by dotted field.
        parameters: That it trains, or would.
        reason: Why it cannot be trained; empty where it can.
    """

    settings: Point
    parameters: int
    reason: str = ""


def fit_point(recipe: Recipe, point: Point, count: Callable[[Recipe], int]) -> FittedPoint:
    """Lower the rank of a point until the recipe with it keeps the budget.

    A rank that the point does not name stays as the recipe has it.

    Args:
        recipe: What is searched.
        point: Values by dotted field.
        count: Recipe -> parameters that it trains, from shapes; may raise BudgetExceededError
            where `adapter.fit` holds no adapter.
    """

    def parameters(settings: Point) -> int:
        return count(with_point(recipe, settings))

    try:
        total = parameters(point)
        if total <= recipe.budget:
            return FittedPoint(point, total)
        if RANK in point:
            lowered = _lowered(point, recipe.budget, parameters)
            if lowered is not None:
                return lowered
    except (RecipeError, BudgetExceededError, AdapterError) as error:
        return FittedPoint(point, 0, str(error).partition("\n")[0])
    excess = total - recipe.budget
    return FittedPoint(
        point, total, f"trains {total:,} parameters, {excess:,} more than {recipe.budget:,}"
    )


def _lowered(point: Point, budget: int, parameters: Callable[[Point], int]) -> FittedPoint | None:
    """Return the point with the highest rank that fits; None where not even 1 does."""
    low, high = 0, int(point[RANK])  # low fits or is 0, high does not
    total = 0
    while high - low > 1:
        middle = (low + high) // 2
        counted = parameters({**point, RANK: middle})
        if counted <= budget:
            low, total = middle, counted
        else:
            high = middle
    return FittedPoint({**point, RANK: low}, total) if low else None
