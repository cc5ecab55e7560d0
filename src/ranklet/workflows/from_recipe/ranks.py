"""From a recipe with `adapter.fit` to one with ranks, from shapes alone or measured worth.

The outcome is a recipe as a person could have written it: `target_modules` lists the adapted
modules by their full names, `rank` and `rank_pattern` hold their ranks, `budget` is what was to be
fitted and `fit` is null. So training, adapter files and reloading need to know nothing of a solver,
and a run's recipe repeats the run without solving again.

Alpha stays what the recipe says, for every rank. The scaling is then alpha / rank, with which the
update of a module moves equally fast whatever its rank, so the best learning rate hardly depends on
the budget (Schulman and Thinking Machines Lab 2025, "LoRA Without Regret"). With a constant scaling
a rank of 32 would learn 32 times as fast as a rank of 1 beside it. `use_rslora` lies in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from ranklet.budget.allocation import (
    Candidate,
    Worth,
    allocate,
    by_depth,
    smallest_budget,
    uniform,
)
from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import build_skeleton
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.source import EncoderSource
from ranklet.errors import BudgetExceededError, RecipeError, RecipeIssue
from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.module_names import matches
from ranklet.lora.placement import Placement
from ranklet.recipe import Recipe
from ranklet.recipe.recipe import contradictions
from ranklet.vocabulary import HeadKind
from ranklet.workflows.from_recipe.placement import plan_for_labels

# Rows of a plan that a module has because it is adapted, magnitudes with DoRA; with
# `bias: lora_only` its bias too.
ADAPTER_KINDS = ("lora", "magnitude")

LARGEST_RANK = 4096
"""As `adapter.rank` allows."""

WORTH_FROM_SHAPES: Mapping[str, Worth] = {"uniform": uniform, "by_depth": by_depth}
"""The modes that need neither data nor weights."""


@dataclass(frozen=True)
class Space:
    """What a budget can be spent on.

    Attributes:
        recipe: The recipe with its head decided, every candidate at rank 1, and no `fit`.
        candidates: Modules that may be adapted.
        fixed: Parameters that train in any case: the head, and biases with `bias: all`.
    """

    recipe: Recipe
    candidates: tuple[Candidate, ...]
    fixed: int

    @property
    def smallest(self) -> int:
        """The smallest budget that holds an adapter."""
        return smallest_budget(self.candidates, self.fixed)


def open_space(recipe: Recipe, encoder: EncoderSource, num_labels: int) -> Space:
    """Decide the head and list the modules that a budget can be spent on.

    With `adapter.fit_head: cheapest` the head is the one that trains the fewest parameters among
    those that the encoder and the recipe's pooling allow; of equal ones the first in the order of
    `HeadKind`, which begins with those that transformers knows.

    Args:
        recipe: With or without `adapter.fit`.
        encoder: Its encoder, of which the sizes are needed.
        num_labels: Classes.

    Raises:
        AdapterError: The placement matches nothing.
        RecipeError: No head is possible.
    """
    count = partial(plan_for_labels, encoder=encoder, num_labels=num_labels)
    recipe = at_rank(recipe, 1)
    if recipe.adapter.fit_head == "cheapest":
        recipe = _with_cheapest_head(recipe, count)
    first, second = count(recipe), count(at_rank(recipe, 2))
    layers = _layers_of(encoder.config)
    kinds = {*ADAPTER_KINDS, *(("bias",) if recipe.adapter.bias == "lora_only" else ())}
    sizes = {row.module: min(row.shape) for row in first.rows if row.rank is not None}
    at_one, at_two = _by_module(first, kinds), _by_module(second, kinds)
    candidates = tuple(
        Candidate(
            module=name,
            cost=at_two[name] - at_one[name],
            max_rank=min(size, LARGEST_RANK),
            layer=layers.get(name, 0),
            entry=2 * at_one[name] - at_two[name],
        )
        for name, size in sizes.items()
    )
    return Space(recipe, candidates, first.total - sum(at_one[name] for name in sizes))


def solve(space: Space, budget: int, worth: Worth) -> Recipe:
    """Spend a budget.

    Args:
        space: What it can be spent on.
        budget: Most parameters that may be trained.
        worth: Worth of each unit of rank.

    Returns:
        The recipe with ranks, see the top of this file.

    Raises:
        BudgetExceededError: The budget holds no adapter; the smallest that works is named.
    """
    check_feasible(space, budget)
    ranks = allocate(space.candidates, worth, budget - space.fixed)
    adapted = {name: rank for name, rank in ranks.items() if rank}
    rank = Counter(adapted.values()).most_common(1)[0][0]
    adapter = space.recipe.adapter
    changes = {
        "target_modules": tuple(adapted),
        "rank": rank,
        "rank_pattern": {name: other for name, other in adapted.items() if other != rank},
        "alpha_pattern": _alphas(space.recipe, tuple(adapted)),
        "exclude_modules": (),
        "layers": None,
        "fit_head": "keep",  # it has been chosen; fit_mode stays and says how the ranks were
    }
    return space.recipe.model_copy(
        update={"adapter": adapter.model_copy(update=changes), "budget": budget}
    )


def solve_from_shapes(recipe: Recipe, encoder: EncoderSource, num_labels: int) -> Recipe:
    """Resolve `adapter.fit` of a mode that needs no data; other recipes come back as they are.

    Args:
        recipe: What to resolve.
        encoder: Its encoder, of which the sizes are needed.
        num_labels: Classes.

    Raises:
        BudgetExceededError: The budget holds no adapter.
        RecipeError: The mode is `measured`.
    """
    fit = recipe.adapter.fit
    if fit is None:
        return recipe
    mode = recipe.adapter.fit_mode
    if mode not in WORTH_FROM_SHAPES:
        message = (
            f"{mode} reads the data and the weights, which a plan does not; "
            "solve first: ranklet.plan(ranklet.fit_ranks(recipe))"
        )
        raise RecipeError([RecipeIssue("", "adapter.fit_mode", message)])
    return solve(open_space(recipe, encoder, num_labels), fit, WORTH_FROM_SHAPES[mode])


def cut_recipe(
    recipe: Recipe, placements: Sequence[Placement], cut: AdapterFile, budget: int
) -> Recipe:
    """Return the recipe that would train what is left of an adapter.

    Args:
        recipe: What was trained.
        placements: Where its adapters were.
        cut: What is left of them; every module of it is named, with its rank.
        budget: What that fits.
    """
    names = tuple(placement.module for placement in cut.placements)
    options = recipe.adapter
    changes: dict[str, Any] = {
        "rank": cut.rank,
        "alpha": cut.alpha,
        "target_modules": names,
        "exclude_modules": (),
        "layers": None,
        "rank_pattern": {p.module: p.rank for p in cut.placements if p.rank != cut.rank},
        "alpha_pattern": {p.module: p.alpha for p in cut.placements if p.alpha != cut.alpha},
        "use_rslora": False,
        "init": "default",
    }
    if options.train_layer_norm and options.layers is not None:
        # The norms of these layers stay, also of one that has no adapter left.
        gone = (placement.module for placement in placements if placement.module not in names)
        changes |= {
            "target_modules": options.target_modules,
            "exclude_modules": (*options.exclude_modules, *gone),
            "layers": options.layers,
        }
    section = options.model_copy(update=changes)
    return recipe.model_copy(update={"budget": budget, "adapter": section})


def check_feasible(space: Space, budget: int) -> None:
    """Refuse a budget that holds no adapter.

    Raises:
        BudgetExceededError: Names the smallest budget that works.
    """
    if budget >= space.smallest:
        return
    head, free = space.recipe.head, space.recipe.adapter.fit_head == "cheapest"
    cheaper = "" if free else ", or set adapter.fit_head: cheapest"
    raise BudgetExceededError(
        f"adapter.fit: {budget:,} parameters hold no adapter: head {head} and biases take "
        f"{space.fixed:,}, the cheapest unit of rank {space.smallest - space.fixed:,}; "
        f"the smallest budget that works is {space.smallest:,}{cheaper}",
        space.smallest,
        budget,
    )


def at_rank(recipe: Recipe, rank: int) -> Recipe:
    """Return a recipe with one rank for all its modules and without `fit`."""
    changes = {"rank": rank, "rank_pattern": {}, "fit": None}
    return recipe.model_copy(update={"adapter": recipe.adapter.model_copy(update=changes)})


def _by_module(plan: ParameterPlan, kinds: set[str]) -> Counter[str]:
    costs: Counter[str] = Counter()
    for row in plan.rows:
        if row.kind in kinds:
            costs[row.module] += row.parameters
    return costs


def _with_cheapest_head(recipe: Recipe, count: Callable[[Recipe], ParameterPlan]) -> Recipe:
    def cost(candidate: Recipe) -> int:
        return sum(row.parameters for row in count(candidate).rows if row.kind == "head")

    candidates = list(_with_each_head(recipe, count))
    if not candidates:
        message = f"no head goes with pooling {recipe.pooling} and encoder {recipe.encoder}"
        raise RecipeError([RecipeIssue("", "adapter.fit_head", message)])
    return min(candidates, key=cost)


def _with_each_head(recipe: Recipe, count: Callable[[Recipe], ParameterPlan]) -> Iterator[Recipe]:
    for kind in get_args(HeadKind):
        candidate = recipe.model_copy(update={"head": kind})
        if any("head" in conflict.fields for conflict in contradictions(candidate)):
            continue
        try:
            count(candidate)
        except RecipeError:  # a head that this encoder does not have
            continue
        yield candidate


def _layers_of(config: EncoderConfig) -> dict[str, int]:
    skeleton = build_skeleton(config, "linear", "cls", 2)
    layer_of = {
        id(module): index
        for index, layer in enumerate(skeleton.encoder.layers)
        for module in layer.modules()
    }
    return {
        name: layer_of[id(module)]
        for name, module in skeleton.named_modules()
        if id(module) in layer_of
    }


def _alphas(recipe: Recipe, adapted: tuple[str, ...]) -> dict[str, float]:
    """Name the modules whose alpha a pattern of the recipe sets by their full names."""
    return {
        name: alpha
        for name in adapted
        for key, alpha in recipe.adapter.alpha_pattern.items()
        if matches(name, key)
    }
