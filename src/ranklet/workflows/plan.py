"""Count what a recipe would train, from shapes alone."""

from __future__ import annotations

from ranklet.budget.plan import ParameterPlan
from ranklet.data.reading.memory import Data
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.choices import choose_for
from ranklet.workflows.from_recipe.placement import count_labels, encoder_of, plan_for_labels
from ranklet.workflows.from_recipe.ranks import solve_from_shapes
from ranklet.workflows.from_recipe.splits import read_splits, with_sources


def plan(recipe: Recipe, data: Data | None = None) -> ParameterPlan:
    """Count every parameter that a recipe trains, without weights and without a network.

    The number of labels comes from the recipe, from a named data set, from a local file or from
    texts in memory. With `adapter.fit` the ranks are chosen first; with `automatic` whatever is
    open is, which takes the texts and the encoder's tokenizer.

    Args:
        recipe: The recipe; it may be over its budget.
        data: Training texts in place of the recipe's, as of `train`.

    Raises:
        RecipeError: The number of labels is not known without a download, or `adapter.fit_mode` is
            `measured`, which `fit_ranks` resolves.
        BudgetExceededError: `adapter.fit` holds no adapter.
        AdapterError: The placement matches nothing, or two patterns match one module.
        DataError: The training file cannot be read.
        WeightsError: The encoder's config.json is unusable.
        HubError: An encoder that is not among the known ones cannot be had.
    """
    recipe, in_memory = with_sources(recipe, data)
    encoder = encoder_of(recipe)
    if recipe.automatic:
        splits = read_splits(recipe.data, recipe.seed, in_memory)
        recipe, _ = choose_for(recipe, splits, encoder)
        return plan_for_labels(recipe, encoder, len(splits.labels))
    num_labels = count_labels(recipe, in_memory.get("train"))
    resolved = solve_from_shapes(recipe, encoder, num_labels)
    return plan_for_labels(resolved, encoder, num_labels)
