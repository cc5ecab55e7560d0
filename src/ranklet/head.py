"""Heads: what maps pooled states to logits.

`dense` is what transformers' sequence classifier of an encoder trains after pooling, so that files
load there; `linear` is one linear map. A head is one module or two, under the names that
transformers gives them; each computes from what the one before it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.config import EncoderConfig
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.lora.linear import module_generator

HeadKind = Literal["dense", "linear"]
Pooling = Literal["cls", "mean"]
LAST = "classifier"
"""Name of the module that gives the logits."""

HEAD_MODULES = ("pooler", "pre_classifier", LAST)
"""Every name that a module of a head may have."""

Activation = Callable[[Tensor], Tensor]
Build = Callable[[int, int, float], dict[str, nn.Module]]
"""(hidden_size, num_labels, dropout) -> modules."""


class DenseHead(nn.Module):
    """RoBERTa's and ELECTRA's head: dropout, dense, tanh or GELU, dropout, out_proj."""

    def __init__(
        self, hidden_size: int, num_labels: int, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.activation = activation
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.out_proj = nn.Linear(hidden_size, num_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to logits (texts, classes) float32."""
        states = self.activation(self.dense(F.dropout(pooled, self.dropout, self.training)))
        logits: Tensor = self.out_proj(F.dropout(states, self.dropout, self.training))
        return logits


class LinearHead(nn.Linear):
    """Dropout and one linear map."""

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__(hidden_size, num_labels)
        self.dropout = dropout

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to logits (texts, classes) float32."""
        return super().forward(F.dropout(pooled, self.dropout, self.training))


class PreClassifier(nn.Linear):
    """DistilBERT's map before its last one, and a ReLU."""

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to (texts, hidden) float32."""
        return super().forward(pooled).relu()


class ContextPooler(nn.Module):
    """DeBERTa's map before its last one, dropout, dense, GELU; not pretrained."""

    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.dense = nn.Linear(hidden_size, hidden_size)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to (texts, hidden) float32."""
        return F.gelu(self.dense(F.dropout(pooled, self.dropout, self.training)))


def needs_pooler(head: HeadKind, config: EncoderConfig) -> bool:
    """Tell whether the head reads a pretrained map of the pooled state, as transformers' does."""
    return head == "dense" and config.architecture.pooler_feeds_head


def head_pooling(head: HeadKind, pooling: Pooling, config: EncoderConfig) -> Pooling:
    """Return how states are pooled: as chosen, but before a dense head as transformers does it."""
    return config.classifier_pooling if head == "dense" else pooling


def build_head(
    head: HeadKind, config: EncoderConfig, num_labels: int, dropout: float, seed: int
) -> dict[str, nn.Module]:
    """Build a head with float32 parameters drawn from N(0, 0.02), biases zero.

    Args:
        head: `dense` or `linear`.
        config: The encoder's sizes.
        num_labels: Classes.
        dropout: Dropout inside the head while training.
        seed: Seed of the initial values.

    Returns:
        Its modules by name, in the order in which they compute.

    Raises:
        RecipeError: The dense head of this encoder is not known.
    """
    build = _dense_head(config) if head == "dense" else _linear
    modules = build(config.hidden_size, num_labels, dropout)
    for name, module in modules.items():
        _initialise(module, module_generator(seed, name))
    return modules


def dense_head_tensors(config: EncoderConfig) -> set[str]:
    """Return the names of all tensors of an encoder's dense head."""
    with torch.device("meta"):
        modules = build_head("dense", config, num_labels=2, dropout=0.0, seed=0)
    return {f"{name}.{key}" for name, module in modules.items() for key in module.state_dict()}


def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    if module_device(module).type == "meta":
        return
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.02, generator=generator)
            else:
                parameter.zero_()


def _dense_head(config: EncoderConfig) -> Build:
    build = _DENSE_HEADS.get(config.model_type)
    if build is None or (build is _context_pooler and config.classifier_activation != "gelu"):
        problem = f"dense is not known for encoder type {config.model_type}; use head: linear"
        raise RecipeError([RecipeIssue("", "head", problem)])
    return build


def _linear(hidden_size: int, num_labels: int, dropout: float) -> dict[str, nn.Module]:
    return {LAST: LinearHead(hidden_size, num_labels, dropout)}


def _tanh(hidden_size: int, num_labels: int, dropout: float) -> dict[str, nn.Module]:
    return {LAST: DenseHead(hidden_size, num_labels, dropout, torch.tanh)}


def _gelu(hidden_size: int, num_labels: int, dropout: float) -> dict[str, nn.Module]:
    return {LAST: DenseHead(hidden_size, num_labels, dropout, F.gelu)}


def _pre_classifier(hidden_size: int, num_labels: int, dropout: float) -> dict[str, nn.Module]:
    return {
        "pre_classifier": PreClassifier(hidden_size, hidden_size),
        LAST: LinearHead(hidden_size, num_labels, dropout),
    }


def _context_pooler(hidden_size: int, num_labels: int, dropout: float) -> dict[str, nn.Module]:
    return {
        "pooler": ContextPooler(hidden_size, dropout),
        LAST: LinearHead(hidden_size, num_labels, dropout),
    }


# What transformers' sequence classifier of each model_type trains after pooling. The one linear map
# of BERT and ModernBERT follows a pretrained one, which stays frozen.
_DENSE_HEADS: Mapping[str, Build] = {
    "bert": _linear,
    "roberta": _tanh,
    "xlm-roberta": _tanh,
    "distilbert": _pre_classifier,
    "electra": _gelu,
    "modernbert": _linear,
    "mpnet": _tanh,
    "deberta": _context_pooler,
    "deberta-v2": _context_pooler,
}


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters."""
    return next(module.parameters()).device
