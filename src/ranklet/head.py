"""Heads: what maps pooled states to logits.

`dense` is what transformers' sequence classifier of an encoder trains after pooling: where that is
two maps, the inner one (hidden x hidden), an activation and the last one. `frozen_dense` trains the
last one only, `low_rank` adds a trained low-rank product to the frozen inner one, `linear` is one
map on the pooled state. A head is one module or two, under the names that transformers gives them;
each computes from what the one before it returns. What does not train is a buffer, no parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.config import EncoderConfig
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.lora.linear import module_generator
from ranklet.vocabulary import DenseInit, HeadKind, Pooling

LAST = "classifier"
"""Name of the module that gives the logits."""

HEAD_MODULES = ("pooler", "pre_classifier", LAST)
"""Every name that a module of a head may have."""

DEFAULT_RANK = 8
"""Rank of the trained part of the inner matrix of `low_rank` where none is chosen."""

ActivationName = Literal["tanh", "gelu", "relu"]
_ACTIVATIONS: Mapping[ActivationName, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "relu": F.relu,
}

LAST_MAPS = (f"{LAST}.weight", f"{LAST}.bias", f"{LAST}.out_proj.weight", f"{LAST}.out_proj.bias")
"""Tensors of a head that give the logits, whatever else it holds."""


class FrozenLinear(nn.Module):
    """A linear map that never trains: `weight` (hidden, hidden) and a zero `bias`, float32."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.in_features = self.out_features = size
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", torch.empty(size, size))
        self.register_buffer("bias", torch.zeros(size))

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., hidden) float32 to (..., hidden) float32."""
        return F.linear(states, self.weight, self.bias)


class LowRankLinear(nn.Module):
    """A frozen linear map plus a trained product of two thin ones, float32.

    The product is added as it is, without a scaling, and starts at zero: `down` as LoRA's A, `up`
    as its B (Hu et al. 2021, arXiv:2106.09685, section 4.1).
    """

    def __init__(self, base_layer: FrozenLinear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        size = base_layer.in_features
        self.base_layer = base_layer
        self.down = nn.Linear(size, rank, bias=False)
        self.up = nn.Linear(rank, size, bias=False)
        if self.down.weight.device.type != "meta":
            with torch.no_grad():
                self.down.weight.uniform_(-(size**-0.5), size**-0.5, generator=generator)
                self.up.weight.zero_()

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., hidden) float32 to (..., hidden) float32."""
        sum_of_both: Tensor = self.base_layer(states) + self.up(self.down(states))
        return sum_of_both


class LinearHead(nn.Linear):
    """An activation, dropout and one linear map."""

    def __init__(
        self,
        hidden_size: int,
        num_labels: int,
        dropout: float,
        activation: ActivationName | None = None,
    ) -> None:
        super().__init__(hidden_size, num_labels)
        self.dropout = dropout
        self.activation = activation

    @property
    def last_map(self) -> nn.Linear:
        """The map that gives the logits."""
        return self

    def features(self, states: Tensor) -> Tensor:
        """Return what the last map reads, without dropout: (texts, hidden) float32."""
        return states if self.activation is None else _ACTIVATIONS[self.activation](states)

    def forward(self, states: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to logits (texts, classes) float32."""
        return super().forward(F.dropout(self.features(states), self.dropout, self.training))


class DenseHead(nn.Module):
    """RoBERTa's and ELECTRA's head: dropout, dense, tanh or GELU, dropout, out_proj."""

    def __init__(
        self, dense: nn.Module, out_proj: nn.Linear, dropout: float, activation: ActivationName
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.activation = activation
        self.dense = dense
        self.out_proj = out_proj

    @property
    def last_map(self) -> nn.Linear:
        """The map that gives the logits."""
        return self.out_proj

    def features(self, states: Tensor) -> Tensor:
        """Return what the last map reads, before its dropout: (texts, hidden) float32."""
        dropped = F.dropout(states, self.dropout, self.training)
        return _ACTIVATIONS[self.activation](self.dense(dropped))

    def forward(self, states: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to logits (texts, classes) float32."""
        logits: Tensor = self.out_proj(
            F.dropout(self.features(states), self.dropout, self.training)
        )
        return logits


class ContextPooler(nn.Module):
    """DeBERTa's map before its last one, dropout, dense, GELU; not pretrained."""

    def __init__(self, dense: nn.Module, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.dense = dense

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to (texts, hidden) float32."""
        return F.gelu(self.dense(F.dropout(pooled, self.dropout, self.training)))


Modules = dict[str, nn.Module]

Build = Callable[[nn.Module, int, int, float], Modules]
"""(inner map, hidden size, number of labels, dropout) -> modules."""


@dataclass(frozen=True)
class StandardHead:
    """What transformers' sequence classifier of a `model_type` computes after pooling.

    The last map of the activation of the inner map of the pooled state.

    Attributes:
        build: Gives its modules; None: the head is the last map alone, on a pretrained inner one.
        inner: Name of the inner map in a transformers classifier; None: a norm follows it, so that
            no other map can take its place.
        last: Name of the last map.
        activation: Between the two.
    """

    build: Build | None
    inner: str | None
    last: str
    activation: ActivationName


def _roberta(inner: nn.Module, width: int, labels: int, dropout: float) -> Modules:
    return {LAST: DenseHead(inner, nn.Linear(width, labels), dropout, "tanh")}


def _electra(inner: nn.Module, width: int, labels: int, dropout: float) -> Modules:
    return {LAST: DenseHead(inner, nn.Linear(width, labels), dropout, "gelu")}


def _distilbert(inner: nn.Module, width: int, labels: int, dropout: float) -> Modules:
    return {"pre_classifier": inner, LAST: LinearHead(width, labels, dropout, "relu")}


def _deberta(inner: nn.Module, width: int, labels: int, dropout: float) -> Modules:
    return {"pooler": ContextPooler(inner, dropout), LAST: LinearHead(width, labels, dropout)}


_ROBERTA = StandardHead(_roberta, f"{LAST}.dense", f"{LAST}.out_proj", "tanh")
_DEBERTA = StandardHead(_deberta, "pooler.dense", LAST, "gelu")

_STANDARD_HEADS: Mapping[str, StandardHead] = {
    "bert": StandardHead(None, "bert.pooler.dense", LAST, "tanh"),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": StandardHead(_distilbert, "pre_classifier", LAST, "relu"),
    "electra": StandardHead(_electra, f"{LAST}.dense", f"{LAST}.out_proj", "gelu"),
    "modernbert": StandardHead(None, None, LAST, "gelu"),
    "mpnet": _ROBERTA,
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA,
}


def standard_head(config: EncoderConfig) -> StandardHead | None:
    """Return what transformers' sequence classifier of an encoder computes; None: not known."""
    standard = _STANDARD_HEADS.get(config.model_type)
    return None if standard is _DEBERTA and config.classifier_activation != "gelu" else standard


def needs_pooler(head: HeadKind, config: EncoderConfig) -> bool:
    """Tell whether the head reads a pretrained map of the pooled state, as transformers' does."""
    return head == "dense" and config.architecture.pooler_feeds_head


def head_pooling(head: HeadKind, pooling: Pooling, config: EncoderConfig) -> Pooling:
    """Return how states are pooled: before all heads but `linear`, as transformers does it."""
    return pooling if head == "linear" else config.classifier_pooling


def build_head(
    head: HeadKind,
    config: EncoderConfig,
    num_labels: int,
    dropout: float,
    seed: int,
    rank: int = DEFAULT_RANK,
    dense_init: DenseInit = "identity",
) -> Modules:
    """Build a head in float32, its trained maps drawn from N(0, 0.02), biases zero.

    A frozen inner map is the identity by default, since it mixes and loses nothing before the
    activation and needs no seed; `random` draws it from N(0, 1 / hidden), which keeps the length of
    a state. The low-rank product starts at zero, as LoRA's does.

    `rank` is that of the trained part of the inner map of `low_rank`.

    Returns:
        Its modules by name, in the order in which they compute.

    Raises:
        RecipeError: The encoder has no head of this kind, or it is not known.
    """
    build = None if head == "linear" else _dense_build(head, config)
    if build is None:
        modules: Modules = {LAST: LinearHead(config.hidden_size, num_labels, dropout)}
    else:
        inner = _inner_map(head, config.hidden_size, seed, rank, dense_init)
        modules = build(inner, config.hidden_size, num_labels, dropout)
    for name, module in modules.items():
        _initialise(module, module_generator(seed, name))
    return modules


def is_trained(head: HeadKind, tensor: str) -> bool:
    """Tell whether a tensor of a head, by its full name, is one that trains."""
    if head == "frozen_dense":
        return tensor in LAST_MAPS
    return head != "low_rank" or ".base_layer." not in tensor


def dense_head_tensors(config: EncoderConfig) -> set[str]:
    """Return the names of all tensors of an encoder's dense head."""
    with torch.device("meta"):
        modules = build_head("dense", config, num_labels=2, dropout=0.0, seed=0)
    return {f"{name}.{key}" for name, module in modules.items() for key in module.state_dict()}


def _dense_build(head: HeadKind, config: EncoderConfig) -> Build | None:
    standard = standard_head(config)
    if standard is None:
        message = f"{head} is not known for encoder type {config.model_type}; use head: linear"
        raise RecipeError([RecipeIssue("", "head", message)])
    if standard.build is None and head != "dense":
        message = (
            f"{head} has no inner matrix to freeze in encoder type {config.model_type}, whose"
            " dense head is one map on a pretrained, frozen one; use head: dense"
        )
        raise RecipeError([RecipeIssue("", "head", message)])
    return standard.build


def _inner_map(
    head: HeadKind, hidden_size: int, seed: int, rank: int, dense_init: DenseInit
) -> nn.Module:
    if head == "dense":
        return nn.Linear(hidden_size, hidden_size)
    frozen = FrozenLinear(hidden_size)
    if frozen.weight.device.type != "meta":
        if dense_init == "identity":
            frozen.weight.copy_(torch.eye(hidden_size))
        else:
            frozen.weight.normal_(
                std=hidden_size**-0.5, generator=module_generator(seed, "frozen dense")
            )
    if head == "frozen_dense":
        return frozen
    return LowRankLinear(frozen, rank, module_generator(seed, "low-rank dense"))


def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    products = [part for part in module.modules() if isinstance(part, LowRankLinear)]
    own = {id(parameter) for product in products for parameter in product.parameters()}
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.device.type == "meta" or id(parameter) in own:
                continue
            if parameter.ndim == 2:
                parameter.normal_(std=0.02, generator=generator)
            else:
                parameter.zero_()


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters."""
    return next(module.parameters()).device
