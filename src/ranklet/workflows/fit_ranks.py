"""Resolve `adapter.fit`, and show what other budgets would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranklet.budget.allocation import Worth, by_gain
from ranklet.data.encoded_splits import Splits
from ranklet.data.reading.memory import Data, RowsInMemory
from ranklet.encoder.source import EncoderSource
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.gains import measure_gains
from ranklet.workflows.from_recipe.placement import count_labels, encoder_of, plan_for_labels
from ranklet.workflows.from_recipe.ranks import (
    WORTH_FROM_SHAPES,
    Space,
    check_feasible,
    open_space,
    solve,
)
from ranklet.workflows.from_recipe.splits import read_splits, with_sources

# Steps of the budgets that `frontier` shows by itself, in every power of ten.
FRONTIER_STEPS = (1, 2.5, 5)


@dataclass(frozen=True)
class FrontierRow:
    """What one budget buys.

    Attributes:
        budget: Most parameters that may be trained.
        head: Kind of head.
        modules: Adapted modules.
        lowest_rank: Smallest rank among them.
        highest_rank: Largest rank among them.
        parameters: Parameters trained.
        unused: What is left of the budget.
    """

    budget: int
    head: str
    modules: int
    lowest_rank: int
    highest_rank: int
    parameters: int
    unused: int


def fit_ranks(
    recipe: Recipe,
    splits: Splits | None = None,
    encoder: EncoderSource | None = None,
    *,
    data: Data | None = None,
    validation: Data | float | None = None,
    test: Data | None = None,
) -> Recipe:
    """Choose the ranks of a recipe with `adapter.fit`; other recipes come back as they are.

    `uniform` and `by_depth` need shapes alone; `measured` reads the training texts and the weights.

    Args:
        recipe: What to fit.
        splits: Its data where they have been read already.
        encoder: Its encoder where it has been looked up already.
        data: Training texts in place of the recipe's, as of `train`, which is to be given them too.
        validation: Validation texts in place of the recipe's, alike.
        test: Test texts in place of the recipe's, alike; copies of them do not train.

    Returns:
        A recipe with ranks written out, `budget` what was to be fitted, and no `fit`.

    Raises:
        BudgetExceededError: The budget holds no adapter; the smallest that works is named.
        RankletError: Any problem of the recipe, the data or the encoder.
    """
    recipe, in_memory = with_sources(recipe, data, validation, test)
    if recipe.adapter.fit is None:
        return recipe
    if splits is None and recipe.adapter.fit_mode not in WORTH_FROM_SHAPES:
        splits = read_splits(recipe.data, recipe.seed, in_memory)
    encoder = encoder or encoder_of(recipe)
    space = open_space(recipe, encoder, _num_labels(recipe, splits, in_memory.get("train")))
    check_feasible(space, recipe.adapter.fit)
    return solve(space, recipe.adapter.fit, _worth(space, encoder, splits))


def frontier(recipe: Recipe, budgets: Sequence[int] = ()) -> tuple[FrontierRow, ...]:
    """Show what each of a series of budgets buys; `measured` measures once for all of them.

    Args:
        recipe: With or without `adapter.fit`, the mode as `adapter.fit_mode` says.
        budgets: Budgets to show, those too small left out; none: the smallest that works, the round
            ones up to the recipe's own, and that.

    Raises:
        BudgetExceededError: The recipe's own budget holds no adapter.
        RankletError: Any problem of the recipe, the data or the encoder.
    """
    measured = recipe.adapter.fit_mode not in WORTH_FROM_SHAPES
    splits = read_splits(recipe.data, recipe.seed) if measured else None
    encoder, num_labels = encoder_of(recipe), _num_labels(recipe, splits)
    space = open_space(recipe, encoder, num_labels)
    largest = recipe.adapter.fit or recipe.budget
    check_feasible(space, largest)
    series = budgets or [space.smallest, *_round_budgets(space.smallest, largest), largest]
    worth = _worth(space, encoder, splits)
    rows = []
    for budget in dict.fromkeys(series):
        if budget < space.smallest:
            continue
        solved = solve(space, budget, worth)
        plan = plan_for_labels(solved, encoder, num_labels)
        ranks = [row.rank for row in plan.rows if row.rank is not None]
        rows.append(
            FrontierRow(
                budget, solved.head, len(ranks), min(ranks), max(ranks), plan.total, plan.remaining
            )
        )
    return tuple(rows)


def _num_labels(recipe: Recipe, splits: Splits | None, train: RowsInMemory | None = None) -> int:
    return count_labels(recipe, train) if splits is None else len(splits.labels)


def _worth(space: Space, encoder: EncoderSource, splits: Splits | None) -> Worth:
    mode = space.recipe.adapter.fit_mode
    if mode in WORTH_FROM_SHAPES:
        return WORTH_FROM_SHAPES[mode]
    assert splits is not None
    modules = [candidate.module for candidate in space.candidates]
    return by_gain(measure_gains(space.recipe, encoder, splits, modules))


def _round_budgets(above: int, below: int) -> list[int]:
    powers = range(len(str(above)) - 1, len(str(below)))
    rounds = [int(step * 10**power) for power in powers for step in FRONTIER_STEPS]
    return [budget for budget in rounds if above < budget < below]
