"""What each unit of rank on each matrix promises on the training texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ranklet.budget.gains import fit_last_map, gains_of, recording
from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import Splits
from ranklet.data.tokens.batching import Indices
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.families import unfused
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.quantization import AnyLinear
from ranklet.encoder.source import EncoderSource
from ranklet.errors import DataError, RecipeError, RecipeIssue
from ranklet.head import module_device
from ranklet.recipe import Recipe
from ranklet.saved.assembly import FreshHead, assemble
from ranklet.workflows.from_recipe.model import classifier_settings

# Half a minute for MiniLM on two cores in float32, half of it for each.
HEAD_TEXTS = 1024
BATCHES = 24
BATCH_TEXTS = 32


def measure_gains(
    recipe: Recipe, encoder: EncoderSource, splits: Splits, modules: Sequence[str]
) -> Mapping[str, list[float]]:
    """Measure the gain of each unit of rank, see `budget.gains`.

    Only training texts are looked at. The last map of the head is fitted on some of them, frozen
    features in; the gradients come from others, for on the texts that it was fitted on the loss has
    little left to fall. Nothing else is trained and there is no adapter.

    Args:
        recipe: Head, pooling, precision and seed; no `fit`.
        encoder: Where its encoder is.
        splits: Its data.
        modules: Full names of linear maps of the encoder.

    Returns:
        Gains by module, falling; the same for the same seed.

    Raises:
        RecipeError: A module is no linear map.
        DataError: Fewer than four training texts.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
    """
    prepare_memory()
    device = choose_device(recipe.engine.device)
    model = assemble(
        classifier_settings(recipe),
        encoder,
        splits.labels,
        None,
        dtype=choose_dtype(recipe.engine.precision, device),
        device=device,
        attention=recipe.engine.attention,
        fresh_head=FreshHead(recipe.seed),
    )
    _check_linear(model, modules)
    head_texts, gradient_texts = draw_texts(len(splits.train.texts), recipe.seed)
    fit_head(model, _corpus(model, splits, head_texts))
    return gains_on(model, _corpus(model, splits, gradient_texts), modules)


def gains_on(
    model: ClassifierNetwork, corpus: TokenCorpus, modules: Sequence[str]
) -> Mapping[str, list[float]]:
    """Return the gain of each unit of rank on the texts of a corpus.

    Args:
        model: Without adapters; its head is fitted.
        corpus: Texts with labels; batches in their order, every second one in the second half.
        modules: Full names of linear maps.
    """
    model.eval().requires_grad_(False)
    device = module_device(model)
    batches = np.array_split(np.arange(len(corpus)), max(2, -(-len(corpus) // BATCH_TEXTS)))
    with unfused(model.encoder), recording(model, modules) as recorder:
        for number, indices in enumerate(batches):
            recorder.half = number % 2
            batch = corpus.batch(indices).to(device)
            loss = F.cross_entropy(model(batch), batch.labels, reduction="sum")  # type: ignore[arg-type]
            loss.backward()  # type: ignore[no-untyped-call]
    return gains_of(recorder, modules, len(corpus))


def draw_texts(number: int, seed: int) -> tuple[Indices, Indices]:
    """Draw the texts for the head and those for the gradients, none in both.

    Raises:
        DataError: There are fewer than four.
    """
    if number < 4:
        message = f"{number} training texts are too few for adapter.fit_mode: measured; use uniform"
        raise DataError(message, "data.train")
    order = np.random.default_rng(np.random.SeedSequence((seed, number))).permutation(number)
    for_head = min(HEAD_TEXTS, number // 2)
    return order[:for_head], order[for_head : for_head + BATCHES * BATCH_TEXTS]


def fit_head(model: ClassifierNetwork, corpus: TokenCorpus) -> None:
    """Fit the last map of a head to what it reads of the texts of a corpus, in place.

    Args:
        model: The classifier.
        corpus: Texts with labels.
    """
    assert corpus.labels is not None
    features = model.predict_features(corpus, np.arange(len(corpus)))
    labels = torch.from_numpy(corpus.labels)
    weight, bias = fit_last_map(features, labels, len(model.labels))
    last = model.last_module.last_map
    with torch.no_grad():
        last.weight.copy_(weight)
        last.bias.copy_(bias)


def _corpus(model: ClassifierNetwork, splits: Splits, indices: Indices) -> TokenCorpus:
    texts = [splits.train.texts[index] for index in indices]
    return model.corpus(texts, splits.train.labels[indices])


def _check_linear(model: ClassifierNetwork, modules: Sequence[str]) -> None:
    for name in modules:
        if not isinstance(model.get_submodule(name), AnyLinear):
            message = f"measured scores linear maps, and {name} is none; leave it out of "
            message += "adapter.target_modules or take another mode"
            raise RecipeError([RecipeIssue("", "adapter.fit_mode", message)])
