"""Placement: which module gets an adapter of which rank and alpha; and putting them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ranklet.encoder.modules import replace_module
from ranklet.encoder.quantization import AnyEmbedding, AnyLinear
from ranklet.errors import AdapterError
from ranklet.lora.initial import check_rank
from ranklet.lora.linear import LoRAEmbedding, LoRALinear, lora_scaling, module_generator
from ranklet.lora.module_names import (
    LayerSelection,
    layer_indices,
    layer_of,
    matches,
    nearest_names,
)
from ranklet.vocabulary import AdapterInit, Bias

ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class ModuleShape:
    """Size of one module that holds parameters.

    Attributes:
        kind: What it is; `other` has a bias to train and takes no adapter.
        in_features: Inputs; rows of an embedding table; width of a norm.
        out_features: Outputs; width of an embedding table; width of a norm.
        bias: It has a bias of `out_features` numbers.
    """

    kind: Literal["linear", "embedding", "norm", "other"]
    in_features: int
    out_features: int
    bias: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """(in_features, out_features)."""
        return self.in_features, self.out_features

    @property
    def parameters(self) -> int:
        """Parameters of the module itself."""
        weight = self.out_features if self.kind == "norm" else self.in_features * self.out_features
        return weight + self.out_features * self.bias

    @property
    def adaptable(self) -> bool:
        """An adapter can be placed on it."""
        return self.kind in ("linear", "embedding")

    @property
    def parameters_per_rank(self) -> int:
        """Parameters that each unit of rank costs."""
        return self.in_features + self.out_features


@dataclass(frozen=True)
class Placement:
    """One adapter.

    Attributes:
        module: Full name of the adapted module.
        rank: Rank of its update.
        alpha: Numerator of its scaling.
    """

    module: str
    rank: int
    alpha: float


def module_shapes(root: nn.Module, prefix: str = "") -> dict[str, ModuleShape]:
    """List every linear map, table and norm of a module, `prefix` being its name, by full name."""
    shapes: dict[str, ModuleShape] = {}
    for name, module in root.named_modules(prefix=prefix):
        if isinstance(module, AnyLinear):
            shape = (module.in_features, module.out_features)
            shapes[name] = ModuleShape("linear", *shape, bias=module.bias is not None)
        elif isinstance(module, AnyEmbedding):
            shape = (module.num_embeddings, module.embedding_dim)
            shapes[name] = ModuleShape("embedding", *shape, bias=False)
        elif isinstance(module, nn.LayerNorm):
            width = module.normalized_shape[0]
            shapes[name] = ModuleShape("norm", width, width, bias=module.bias is not None)
        elif isinstance(getattr(module, "bias", None), nn.Parameter):
            width = module.bias.numel()  # a norm or map of an encoder of transformers
            shapes[name] = ModuleShape("other", width, width, bias=True)
    return shapes


def resolve_placement(
    shapes: Mapping[str, ModuleShape],
    target_modules: str | Sequence[str],
    rank: int,
    alpha: float,
    layers: LayerSelection | None = None,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, float] | None = None,
    exclude_modules: Sequence[str] = (),
) -> tuple[Placement, ...]:
    """Decide the rank and alpha of every module that is adapted.

    Targets are `all-linear` or names as `matches` takes them. So are excluded modules, which get no
    adapter after all, and the keys of patterns, which say otherwise than `rank` and `alpha`. Layers
    are indices and ranges; None: all.

    Returns:
        One placement for each adapted module, in the order of `shapes`.

    Raises:
        AdapterError: A target, layer or pattern matches nothing, or two patterns match one module.
    """
    adaptable = {name: shape for name, shape in shapes.items() if shape.adaptable}
    modules = _in_layers(_targeted(adaptable, target_modules), layers)
    modules = _without(modules, exclude_modules)
    ranks = _resolve_pattern("adapter.rank_pattern", rank_pattern or {}, modules)
    alphas = _resolve_pattern("adapter.alpha_pattern", alpha_pattern or {}, modules)
    return tuple(
        Placement(name, int(ranks.get(name, rank)), float(alphas.get(name, alpha)))
        for name in modules
    )


def place_adapters(
    root: nn.Module,
    placements: Iterable[Placement],
    dropout: float,
    use_rslora: bool,
    seed: int,
    use_dora: bool = False,
    init: AdapterInit = "default",
) -> None:
    """Put adapters on modules of a frozen network, in place.

    Each module draws its initial values from a generator of its own. Dropout goes before each
    low-rank product of a linear map, while training. Adapters of tables start at zero, whatever
    `init`.

    Raises:
        AdapterError: A module takes no adapter, or has not the rank that `init` needs.
    """
    for placement in placements:
        base = root.get_submodule(placement.module)
        scaling = lora_scaling(placement.rank, placement.alpha, use_rslora)
        generator = module_generator(seed, placement.module)
        adapted: nn.Module
        if isinstance(base, AnyEmbedding):
            adapted = LoRAEmbedding(base, placement.rank, scaling, generator, use_dora)
        elif isinstance(base, AnyLinear):
            sides = (base.in_features, base.out_features)
            check_rank(placement.module, placement.rank, sides, init)
            adapted = LoRALinear(base, placement.rank, scaling, dropout, generator, use_dora, init)
        else:
            raise AdapterError(f"{placement.module} is neither a linear map nor an embedding table")
        replace_module(root, placement.module, adapted)


def train_biases(root: nn.Module, bias: Bias, placements: Iterable[Placement]) -> None:
    """Make the biases that `bias` names trainable, in float32, in place."""
    adapted = {placement.module for placement in placements}
    for name, module in root.named_modules():
        own = name.removesuffix(".base_layer")
        parameter = getattr(module, "bias", None)
        if not isinstance(parameter, nn.Parameter):
            continue
        if bias == "all" or (bias == "lora_only" and own in adapted):
            _train(parameter)


def norm_modules(
    shapes: Mapping[str, ModuleShape], layers: LayerSelection | None
) -> tuple[str, ...]:
    """Return the norms of a network, or those of some of its layers and none outside them."""
    norms = tuple(name for name, shape in shapes.items() if shape.kind == "norm")
    if layers is None:
        return norms
    last = max((layer for layer in map(layer_of, norms) if layer is not None), default=0)
    indices = layer_indices(layers, last)
    return tuple(name for name in norms if layer_of(name) in indices)


def train_modules(root: nn.Module, modules: Iterable[str]) -> None:
    """Make modules trainable as a whole, in float32, in place."""
    for name in modules:
        for parameter in root.get_submodule(name).parameters():
            _train(parameter)


def _train(parameter: nn.Parameter) -> None:
    parameter.data = parameter.data.to(torch.float32)
    parameter.requires_grad_(True)


def _targeted(
    shapes: Mapping[str, ModuleShape], target_modules: str | Sequence[str]
) -> tuple[str, ...]:
    if target_modules == ALL_LINEAR:
        return tuple(
            name
            for name, shape in shapes.items()
            if shape.kind == "linear" and layer_of(name) is not None
        )
    targets = [target_modules] if isinstance(target_modules, str) else target_modules
    for target in targets:
        if not any(matches(name, target) for name in shapes):
            raise AdapterError(
                f"adapter.target_modules: {target!r} matches no module; "
                f"{nearest_names(target, shapes)}"
            )
    return tuple(name for name in shapes if any(matches(name, target) for target in targets))


def _in_layers(modules: Sequence[str], layers: LayerSelection | None) -> tuple[str, ...]:
    if layers is None:
        return tuple(modules)
    present = {index for index in map(layer_of, modules) if index is not None}
    indices = layer_indices(layers, max(present, default=0))
    for layer in indices:
        if layer not in present:
            allowed = (
                f"{min(present)} to {max(present)}" if present else "none: no target is in a layer"
            )
            message = f"adapter.layers: layer {layer} holds no targeted module; allowed: {allowed}"
            raise AdapterError(message)
    return tuple(name for name in modules if layer_of(name) in indices)


def _without(modules: Sequence[str], excluded: Sequence[str]) -> tuple[str, ...]:
    for pattern in excluded:
        if not any(matches(name, pattern) for name in modules):
            raise AdapterError(
                f"adapter.exclude_modules: {pattern!r} matches no targeted module; "
                f"{nearest_names(pattern, modules)}"
            )
    left = tuple(
        name for name in modules if not any(matches(name, pattern) for pattern in excluded)
    )
    if not left:
        message = "adapter.exclude_modules: nothing is left to adapt; exclude fewer modules"
        raise AdapterError(message)
    return left


def _resolve_pattern(
    field: str, pattern: Mapping[str, float], modules: Sequence[str]
) -> dict[str, float]:
    resolved: dict[str, float] = {}
    matched_by: dict[str, str] = {}
    for key, value in pattern.items():
        matched = [name for name in modules if matches(name, key)]
        if not matched:
            message = f"{field}: {key!r} matches no adapted module; {nearest_names(key, modules)}"
            raise AdapterError(message)
        for name in matched:
            if name in matched_by:
                raise AdapterError(
                    f"{field}: {matched_by[name]!r} and {key!r} both match {name}; "
                    "make one of them longer, so that each module is matched once"
                )
            matched_by[name] = key
            resolved[name] = value
    return resolved
