"""Placement: which module gets an adapter of which rank and alpha; and putting them there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import torch
from torch import nn

from ranklet.errors import AdapterError
from ranklet.lora.linear import LoRAEmbedding, LoRALinear, lora_scaling, module_generator

Bias = Literal["none", "lora_only", "all"]
ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class ModuleShape:
    """Size of one module that holds parameters.

    Attributes:
        kind: What it is.
        in_features: Inputs; rows of an embedding table; width of a norm.
        out_features: Outputs; width of an embedding table; width of a norm.
        bias: It has a bias of `out_features` numbers.
    """

    kind: Literal["linear", "embedding", "norm"]
    in_features: int
    out_features: int
    bias: bool

    @property
    def parameters(self) -> int:
        """Parameters of the module itself."""
        weight = self.out_features if self.kind == "norm" else self.in_features * self.out_features
        return weight + self.out_features * self.bias

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
    """List every linear map, embedding table and norm of a module by its full name.

    Args:
        root: The module.
        prefix: Its own full name; empty for a whole model.
    """
    shapes: dict[str, ModuleShape] = {}
    for name, module in root.named_modules(prefix=prefix):
        if isinstance(module, nn.Linear):
            shape = (module.in_features, module.out_features)
            shapes[name] = ModuleShape("linear", *shape, bias=module.bias is not None)
        elif isinstance(module, nn.Embedding):
            shape = (module.num_embeddings, module.embedding_dim)
            shapes[name] = ModuleShape("embedding", *shape, bias=False)
        elif isinstance(module, nn.LayerNorm):
            width = module.normalized_shape[0]
            shapes[name] = ModuleShape("norm", width, width, bias=module.bias is not None)
        elif isinstance(getattr(module, "bias", None), nn.Parameter):
            width = module.bias.numel()  # a norm or map of a foreign encoder, with a bias to train
            shapes[name] = ModuleShape("norm", width, width, bias=True)
    return shapes


def resolve_placement(
    shapes: Mapping[str, ModuleShape],
    target_modules: str | Sequence[str],
    rank: int,
    alpha: float,
    layers: Sequence[int] | None = None,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, float] | None = None,
) -> tuple[Placement, ...]:
    """Decide the rank and alpha of every module that is adapted.

    Args:
        shapes: Modules that may be adapted, by full name; the head is not among them.
        target_modules: `all-linear`, or full names or dotted suffixes of names.
        rank: Rank where no pattern says otherwise.
        alpha: Alpha where no pattern says otherwise.
        layers: Indices of the layers to adapt; None for every module that matches.
        rank_pattern: Rank by full name or dotted suffix.
        alpha_pattern: Alpha by full name or dotted suffix.

    Returns:
        One placement for each adapted module, in the order of `shapes`.

    Raises:
        AdapterError: A target, layer or pattern matches nothing, or two patterns match one module.
    """
    adaptable = {name: shape for name, shape in shapes.items() if shape.kind != "norm"}
    modules = _in_layers(_targeted(adaptable, target_modules), layers)
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
) -> None:
    """Put adapters on modules of a frozen network, in place.

    Args:
        root: The network; its module names are those of the placements.
        placements: What to adapt.
        dropout: Dropout before each low-rank product of a linear map, while training.
        use_rslora: Scale by alpha / sqrt(rank).
        seed: Seed of the initial values; each module draws from a generator of its own.
    """
    for placement in placements:
        parent_name, _, child = placement.module.rpartition(".")
        parent = root.get_submodule(parent_name)
        base = parent.get_submodule(child)
        scaling = lora_scaling(placement.rank, placement.alpha, use_rslora)
        generator = module_generator(seed, placement.module)
        adapted: nn.Module
        if isinstance(base, nn.Embedding):
            adapted = LoRAEmbedding(base, placement.rank, scaling, generator)
        elif isinstance(base, nn.Linear):
            adapted = LoRALinear(base, placement.rank, scaling, dropout, generator)
        else:
            raise AdapterError(f"{placement.module} is neither a linear map nor an embedding table")
        parent.register_module(child, adapted)


def train_biases(root: nn.Module, bias: Bias, placements: Iterable[Placement]) -> None:
    """Make the biases that `bias` names trainable, in float32, in place.

    Args:
        root: The network, adapters placed.
        bias: `none`; `lora_only`, those of the adapted modules; `all`, every one.
        placements: The adapted modules.
    """
    adapted = {placement.module for placement in placements}
    for name, module in root.named_modules():
        own = name.removesuffix(".base_layer")
        parameter = getattr(module, "bias", None)
        if not isinstance(parameter, nn.Parameter):
            continue
        if bias == "all" or (bias == "lora_only" and own in adapted):
            parameter.data = parameter.data.to(torch.float32)
            parameter.requires_grad_(True)


def matches(module: str, pattern: str) -> bool:
    """Tell whether a pattern is a module's full name or a dotted suffix of it."""
    return module == pattern or module.endswith("." + pattern)


def _targeted(
    shapes: Mapping[str, ModuleShape], target_modules: str | Sequence[str]
) -> tuple[str, ...]:
    if target_modules == ALL_LINEAR:
        return tuple(
            name
            for name, shape in shapes.items()
            if shape.kind == "linear" and _layer_index(name) is not None
        )
    targets = [target_modules] if isinstance(target_modules, str) else target_modules
    for target in targets:
        if not any(matches(name, target) for name in shapes):
            raise AdapterError(
                f"adapter.target_modules: {target!r} matches no module; {_near(target, shapes)}"
            )
    return tuple(name for name in shapes if any(matches(name, target) for target in targets))


def _in_layers(modules: Sequence[str], layers: Sequence[int] | None) -> tuple[str, ...]:
    if layers is None:
        return tuple(modules)
    present = {_layer_index(name) for name in modules}
    for layer in layers:
        if layer not in present:
            known = sorted(index for index in present if index is not None)
            allowed = f"{known[0]} to {known[-1]}" if known else "none: no target is in a layer"
            raise AdapterError(
                f"adapter.layers: layer {layer} holds no targeted module; allowed: {allowed}"
            )
    return tuple(name for name in modules if _layer_index(name) in set(layers))


def _layer_index(module: str) -> int | None:
    # The first number in a name counts layers, whatever their list is called.
    found = re.search(r"\.(\d+)\.", module)
    return int(found.group(1)) if found else None


def _resolve_pattern(
    field: str, pattern: Mapping[str, float], modules: Sequence[str]
) -> dict[str, float]:
    resolved: dict[str, float] = {}
    matched_by: dict[str, str] = {}
    for key, value in pattern.items():
        matched = [name for name in modules if matches(name, key)]
        if not matched:
            raise AdapterError(f"{field}: {key!r} matches no adapted module; {_near(key, modules)}")
        for name in matched:
            if name in matched_by:
                raise AdapterError(
                    f"{field}: {matched_by[name]!r} and {key!r} both match {name}; "
                    "make one of them longer, so that each module is matched once"
                )
            matched_by[name] = key
            resolved[name] = value
    return resolved


def _near(pattern: str, modules: Iterable[str]) -> str:
    names = list(modules)
    suffixes = {".".join(name.split(".")[-length:]) for name in names for length in range(1, 4)}
    near = get_close_matches(pattern, sorted(suffixes | set(names)), n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    leaves = sorted({name.rsplit(".", 1)[-1] for name in names})
    return "allowed are full names or their endings, such as " + ", ".join(leaves[:8])
