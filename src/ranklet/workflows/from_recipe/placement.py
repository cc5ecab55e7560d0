"""From a recipe and a number of labels to the plan of what is trained."""

from __future__ import annotations

from ranklet.budget.plan import ParameterPlan, plan_parameters
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, build_skeleton, head_shapes
from ranklet.data.examples import distinct_labels
from ranklet.data.reading.memory import RowsInMemory
from ranklet.data.reading.named_sets import SET_LABELS
from ranklet.data.reading.sources import is_on_hub, read_examples
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.lora.initial import check_rank
from ranklet.lora.placement import Placement, module_shapes, norm_modules, resolve_placement
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.reading_settings import reading_settings


def encoder_of(recipe: Recipe) -> EncoderSource:
    """Return the encoder of a recipe, to be made once and handed on; nothing is looked up yet."""
    return EncoderSource(recipe.encoder)


def plan_for_labels(recipe: Recipe, encoder: EncoderSource, num_labels: int) -> ParameterPlan:
    """Count every parameter that a recipe trains, from its encoder's sizes and number of labels."""
    skeleton = build_skeleton(
        encoder.config, recipe.head, recipe.pooling, num_labels, recipe.head_rank
    )
    return plan_parameters(
        encoder_shapes=module_shapes(skeleton.encoder, skeleton.prefix),
        head_shapes=head_shapes(skeleton),
        placements=resolve_adapters(recipe, skeleton),
        bias=recipe.adapter.bias,
        budget=recipe.budget,
        use_dora=recipe.adapter.use_dora,
        norms=trained_norms(recipe, skeleton),
    )


def resolve_adapters(recipe: Recipe, model: ClassifierNetwork) -> tuple[Placement, ...]:
    """Decide which modules of a classifier a recipe adapts, and how.

    Raises:
        AdapterError: The placement matches nothing, two patterns match one module, or a rank is
            more than `adapter.init` can start from.
    """
    adapter, shapes = recipe.adapter, adaptable_shapes(model)
    placements = resolve_placement(
        shapes,
        adapter.target_modules,
        adapter.rank,
        adapter.alpha,
        adapter.layers,
        adapter.rank_pattern,
        adapter.alpha_pattern,
        adapter.exclude_modules,
    )
    for placement in placements:
        shape = shapes[placement.module]
        if shape.kind == "linear":
            sides = (shape.in_features, shape.out_features)
            check_rank(placement.module, placement.rank, sides, adapter.init)
    return placements


def trained_norms(recipe: Recipe, model: ClassifierNetwork) -> tuple[str, ...]:
    """Return the norms that a recipe trains: those of `adapter.layers`, all without it."""
    if not recipe.adapter.train_layer_norm:
        return ()
    return norm_modules(adaptable_shapes(model), recipe.adapter.layers)


def labels_without_reading(recipe: Recipe) -> tuple[str, ...] | None:
    """Return the label names that the recipe or its named data set states, or None."""
    data = recipe.data
    return data.label_columns or data.label_names or SET_LABELS.get(data.train)


def count_labels(recipe: Recipe, train: RowsInMemory | None = None) -> int:
    """Return the number of labels, without a download.

    Args:
        recipe: States them, or names the training texts.
        train: The training texts where the recipe only calls them texts in memory.

    Raises:
        RecipeError: It is not known without one.
        DataError: The training file cannot be read.
    """
    stated = labels_without_reading(recipe)
    if stated is not None:
        return len(stated)
    data = recipe.data
    if is_on_hub(data.train):
        message = (
            f"the labels of {data.train!r} are not known before it is downloaded; "
            "list them, so that the plan needs no network"
        )
        raise RecipeError([RecipeIssue("", "data.label_names", message)])
    source = data.train if train is None else train
    examples = read_examples(source, "train", reading_settings(data))
    return len(distinct_labels(examples))
