"""A classifier from what it is, the files of its encoder and, if given, a trained adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ranklet.classifier import ClassifierNetwork, Preprocessing, adaptable_shapes
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.tokenizer import BEGINNING_ONLY, load_tokenizer
from ranklet.encoder.config import EncoderConfig, read_config
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weights import load_encoder
from ranklet.errors import AdapterError, WeightsError
from ranklet.head import DEFAULT_RANK, build_head, head_pooling, needs_pooler
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.placement import module_shapes, place_adapters, train_biases, train_modules
from ranklet.problem import choose_problem
from ranklet.vocabulary import (
    AttentionBackend,
    CleaningStep,
    DenseInit,
    HeadKind,
    Pooling,
    ProblemType,
    Products,
    Quantization,
)


@dataclass(frozen=True)
class ClassifierSettings:
    """What a classifier is besides its tensors and labels.

    Attributes:
        encoder: Known name, folder or hub id.
        head: Kind of head.
        pooling: Kind of pooling.
        max_length: Tokens kept of a text, special ones included.
        cleaning: Cleaning steps.
        head_rank: Rank of the trained part of the inner matrix of a `low_rank` head.
        quantization: How the frozen weights of the encoder are kept.
        products: How those of its layers are multiplied.
        problem_type: Whether a text has one label or any number of them.
        thresholds: Where it may have several: the probability from which it has a label, in the
            order of the labels; None: 0.5 each.
        temperature: Where it has one: what logits are divided by before the softmax.
        exponent: Where it has one: the power of the distances of logits, as in `SingleLabel`.
        long_texts: What happens to texts of more tokens.
        pair: Whether it reads pairs of texts.
    """

    encoder: str
    head: HeadKind
    pooling: Pooling
    max_length: int
    cleaning: tuple[CleaningStep, ...]
    head_rank: Annotated[int, Field(ge=1, le=4096)] = DEFAULT_RANK
    quantization: Quantization = "none"
    products: Products = "float"
    problem_type: ProblemType = "single_label_classification"
    thresholds: tuple[float, ...] | None = None
    long_texts: LongTexts = BEGINNING_ONLY
    # Fitted ones lie between 0.05 and 20; far outside, probabilities are no numbers any more.
    temperature: Annotated[float, Field(ge=1e-3, le=1e3, allow_inf_nan=False)] = 1.0
    exponent: Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False)] = 1.0
    pair: bool = False


@dataclass(frozen=True)
class FreshHead:
    """What a head that is to be trained begins with.

    Attributes:
        seed: Of its initial values.
        dropout: Inside it while training.
        dense_init: Values of a frozen inner matrix.
    """

    seed: int = 0
    dropout: float = 0.0
    dense_init: DenseInit = "identity"


def assemble(
    settings: ClassifierSettings,
    encoder: EncoderSource,
    labels: LabelSet,
    adapter: AdapterFile | None,
    *,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
    fresh_head: FreshHead | None = None,
) -> ClassifierNetwork:
    """Build a classifier from its encoder's files and, if given, a trained adapter.

    Without an adapter it is an untrained head, as `fresh_head` says, on a frozen encoder. `dtype`
    is the compute dtype of the frozen weights.

    Raises:
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
        AdapterError: The adapter does not fit the encoder or the labels.
        RecipeError: The encoder has no head of this kind.
    """
    if settings.products == "int8" and device.type != "cpu":
        raise WeightsError(
            f"{settings.encoder}: products in int8 are computed on the CPU; choose the device cpu"
        )
    config = read_config(encoder.folder)
    network = load_encoder(
        encoder.folder,
        config,
        dtype,
        needs_pooler(settings.head, config),
        attention,
        settings.quantization,
        settings.products,
    )
    fresh = fresh_head or FreshHead()
    head = build_head(
        settings.head,
        config,
        len(labels),
        fresh.dropout,
        fresh.seed,
        settings.head_rank,
        fresh.dense_init,
    )
    preprocessing = _preprocessing(settings, encoder.folder, config)
    pooling = head_pooling(settings.head, settings.pooling, config)
    problem = choose_problem(
        settings.problem_type,
        len(labels),
        settings.thresholds,
        settings.temperature,
        settings.exponent,
    )
    model = ClassifierNetwork(network, head, pooling, labels, preprocessing, problem).to(device)
    if isinstance(network, NativeEncoder):
        network.join_projections()  # again: on another device they are other tensors
    if adapter is not None:
        _fill(model, adapter, encoder.name)
    return model


def _preprocessing(
    settings: ClassifierSettings, folder: Path, config: EncoderConfig
) -> Preprocessing:
    tokenizer = load_tokenizer(folder)
    if not tokenizer.encode("").ids:
        raise WeightsError(
            f"{folder}: the tokenizer adds no special tokens, so an empty text has nothing to "
            "read; give it the post-processor of its encoder"
        )
    if tokenizer.get_vocab_size() > config.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer has {tokenizer.get_vocab_size()} tokens, the encoder "
            f"{config.vocab_size}; the files do not belong together"
        )
    if max(tokenizer.get_vocab().values(), default=0) >= config.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer has token ids beyond the {config.vocab_size} of the encoder; "
            "the files do not belong together"
        )
    max_length = min(settings.max_length, config.max_length)
    return Preprocessing(
        tokenizer, settings.cleaning, max_length, settings.long_texts, settings.pair
    )


def _fill(model: ClassifierNetwork, adapter: AdapterFile, encoder: str) -> None:
    """Place the adapters and give every trained tensor its value."""
    _check_places(model, adapter, encoder)
    place_adapters(
        model,
        adapter.placements,
        adapter.dropout,
        adapter.use_rslora,
        seed=0,
        use_dora=adapter.use_dora,
        init=adapter.init,
    )
    train_biases(model, adapter.bias, adapter.placements)
    train_modules(model, adapter.modules_to_save)
    tensors: dict[str, Tensor] = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    heads = tuple(f"{module}." for module in model.head_modules)
    tensors |= {name: t for name, t in model.named_buffers() if name.startswith(heads)}
    _check_pairs(tensors, adapter.tensors, encoder, len(model.labels))
    for name, tensor in tensors.items():
        tensor.detach().copy_(adapter.tensors[name])
    model.eval()


def _check_places(model: ClassifierNetwork, adapter: AdapterFile, encoder: str) -> None:
    shapes = adaptable_shapes(model)
    for placement in adapter.placements:
        if placement.module not in shapes or not shapes[placement.module].adaptable:
            raise AdapterError(
                f"adapter: {placement.module} is no adaptable module of encoder {encoder!r}; "
                "name the encoder that the adapter was trained on"
            )
    shapes = module_shapes(model)
    for name in adapter.modules_to_save:
        if name not in shapes or shapes[name].kind not in ("linear", "norm"):
            raise AdapterError(
                f"adapter: {name} of modules_to_save is no linear map or norm of encoder "
                f"{encoder!r}; only such modules can be replaced"
            )


def _check_pairs(
    expected: Mapping[str, Tensor], stored: Mapping[str, Tensor], encoder: str, num_labels: int
) -> None:
    if set(expected) != set(stored):
        odd = sorted(set(expected) ^ set(stored))
        raise AdapterError(
            f"adapter: {len(odd)} tensors do not pair up with encoder {encoder!r}, such as {odd[0]}"
        )
    for name, tensor in expected.items():
        if stored[name].shape != tensor.shape:
            raise AdapterError(
                f"adapter: {name} has shape {tuple(stored[name].shape)}, but encoder {encoder!r} "
                f"with {num_labels} labels needs {tuple(tensor.shape)}"
            )
