"""From a recipe to a classifier that is ready to be trained."""

from __future__ import annotations

import torch

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.long_texts import DEFAULT_OVERLAP, LongTexts
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.placement import place_adapters, train_biases, train_modules
from ranklet.recipe import Recipe
from ranklet.saved.assembly import ClassifierSettings, FreshHead, assemble
from ranklet.workflows.from_recipe.placement import resolve_adapters, trained_norms


def classifier_settings(recipe: Recipe) -> ClassifierSettings:
    """Return what a recipe's classifier is besides its tensors and labels."""
    return ClassifierSettings(
        encoder=recipe.encoder,
        head=recipe.head,
        pooling=recipe.pooling,
        max_length=recipe.data.max_length,
        cleaning=recipe.data.cleaning,
        head_rank=recipe.head_rank,
        quantization=recipe.engine.quantization,
        products=recipe.engine.products,
        problem_type=recipe.data.problem_type,
        long_texts=LongTexts(
            recipe.data.long_texts,
            DEFAULT_OVERLAP if recipe.data.window_overlap is None else recipe.data.window_overlap,
            recipe.data.window_aggregation or "mean",
        ),
        pair=recipe.data.pair,
    )


def build_model(
    recipe: Recipe,
    encoder: EncoderSource,
    labels: LabelSet,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[ClassifierNetwork, AdapterFile]:
    """Load the encoder, place fresh adapters and a fresh head, freeze the rest.

    Args:
        recipe: What to build.
        encoder: Where its encoder is.
        labels: Classes.
        dtype: Compute dtype of the frozen weights.
        device: Where it computes.

    Returns:
        The classifier, and the description of its adapters, still without tensors.

    Raises:
        AdapterError: The placement matches nothing, or two patterns match one module.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
    """
    torch.manual_seed(recipe.seed)
    model = assemble(
        classifier_settings(recipe),
        encoder,
        labels,
        None,
        dtype=dtype,
        device=device,
        attention=recipe.engine.attention,
        fresh_head=FreshHead(recipe.seed, recipe.head_dropout, recipe.head_dense_init),
    )
    if isinstance(model.encoder, NativeEncoder):
        model.encoder.activation_checkpointing = recipe.engine.activation_checkpointing
    options = recipe.adapter
    placements = resolve_adapters(recipe, model)
    norms = trained_norms(recipe, model)
    place_adapters(
        model,
        placements,
        options.dropout,
        options.use_rslora,
        recipe.seed,
        options.use_dora,
        options.init,
    )
    train_biases(model, options.bias, placements)
    train_modules(model, norms)
    adapter = AdapterFile(
        base_model=None,
        rank=options.rank,
        alpha=options.alpha,
        placements=placements,
        use_rslora=options.use_rslora,
        bias=options.bias,
        dropout=options.dropout,
        tensors={},
        use_dora=options.use_dora,
        modules_to_save=norms,
        init=options.init,
    )
    return model, adapter
