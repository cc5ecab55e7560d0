"""What a search begins with: the recipe with nothing left open, and where its trials pause."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ranklet.budget.plan import enforce_budget
from ranklet.recipe import Recipe
from ranklet.search.halving import rungs_of
from ranklet.workflows._tune.messages import describe_start
from ranklet.workflows.from_recipe.checks import check_before_download
from ranklet.workflows.from_recipe.choices import (
    as_read,
    choose_for,
    leaves_validation_open,
    validation_size,
)
from ranklet.workflows.from_recipe.placement import encoder_of, plan_for_labels
from ranklet.workflows.from_recipe.ranks import WORTH_FROM_SHAPES, solve_from_shapes
from ranklet.workflows.from_recipe.splits import read_splits


@dataclass(frozen=True, eq=False)
class Start:
    """What a search begins with.

    Attributes:
        recipe: Nothing is left open in it, and it names no test data.
        rungs: Shares of a training at which trials pause; the last is 1.
        count: Recipe -> parameters that it trains.
    """

    recipe: Recipe
    rungs: tuple[float, ...]
    count: Callable[[Recipe], int]


def begin(recipe: Recipe, report: Callable[[str], None]) -> Start:
    """Read the data and choose what the recipe leaves open.

    Args:
        recipe: As it was given.
        report: Receives a line for each choice.

    Raises:
        BudgetExceededError: The recipe as it is trains more than its budget.
        RankletError: Any other problem of the recipe, the data or the encoder.
    """
    encoder = encoder_of(recipe)
    check_before_download(recipe, encoder)
    without_test = _with(recipe, "data", test=None)
    size = validation_size if leaves_validation_open(recipe) else None
    splits = read_splits(without_test.data, recipe.seed, validation_size=size)
    closed, choices = choose_for(as_read(without_test, splits), splits, encoder)
    # A checkpoint stands before every validation then, and a trial pauses behind one.
    closed = _with(closed, "training", checkpoint_every=None).model_copy(update={"tune": {}})
    check_before_download(closed, encoder)
    classes = len(splits.labels)

    def count(trained: Recipe) -> int:
        fit = trained.adapter.fit
        if fit is not None and trained.adapter.fit_mode not in WORTH_FROM_SHAPES:
            return fit  # ranks of the measured mode are chosen by the training, within it
        return plan_for_labels(solve_from_shapes(trained, encoder, classes), encoder, classes).total

    if closed.adapter.fit is None:
        enforce_budget(plan_for_labels(closed, encoder, classes))
    rungs = rungs_of(_validated(closed, len(splits.train.texts)))
    for line in describe_start(closed, choices, splits, rungs, recipe.data.test):
        report(line)
    return Start(closed, rungs, count)


def _with(recipe: Recipe, section: str, **changes: Any) -> Recipe:
    """Return a recipe with other values in a section, as if these had been written."""
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=changes)})


def _validated(recipe: Recipe, texts: int) -> Sequence[float]:
    """Return the shares of the training after which it validates, by its number of texts."""
    options = recipe.training
    if options.evaluate_every is None or options.batch_tokens is not None:
        epochs = max(1, options.epochs)
        return [(epoch + 1) / epochs for epoch in range(epochs)]
    batches = math.ceil(texts / options.batch_size)
    steps = options.epochs * math.ceil(batches / options.gradient_accumulation_steps)
    steps = max(1, min(steps, options.max_steps or steps))
    return [*(at / steps for at in range(options.evaluate_every, steps, options.evaluate_every)), 1]
