"""What can be refused of a recipe before anything is read or downloaded."""

from __future__ import annotations

from ranklet.budget.plan import enforce_budget
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.placement import labels_without_reading, plan_for_labels
from ranklet.workflows.from_recipe.ranks import check_feasible, open_space


def check_before_download(recipe: Recipe, encoder: EncoderSource) -> None:
    """Refuse what shapes alone show to be impossible, before anything is read or downloaded.

    Of a recipe with `automatic` nothing is known before its data are; it is refused once chosen.

    Args:
        recipe: What is to be trained.
        encoder: Its encoder, of which the sizes are needed.

    Raises:
        BudgetExceededError: Even with two labels, if their number is not known yet.
        RecipeError: `data.max_length` is more than the encoder has positions for, or it is not one
            of those whose layers can drop out.
    """
    if recipe.automatic:
        return
    config = encoder.config
    if recipe.data.max_length > config.max_length:
        message = f"{recipe.data.max_length} is more than encoder {encoder.name!r} takes; "
        message += f"allowed: 3 to {config.max_length}"
        raise RecipeError([RecipeIssue("", "data.max_length", message)])
    if recipe.encoder_dropout and config.transformers is not None:
        message = f"encoder type {config.model_type} is computed by transformers, without dropout; "
        raise RecipeError([RecipeIssue("", "encoder_dropout", message + "set it to 0.0")])
    num_labels = len(labels_without_reading(recipe) or "ab")
    if recipe.adapter.fit is not None:
        check_feasible(open_space(recipe, encoder, num_labels), recipe.adapter.fit)
    else:
        enforce_budget(plan_for_labels(recipe, encoder, num_labels))
