"""Heads: what maps pooled states to logits.

`dense` is what transformers' sequence classifiers have, so that files load there; `linear` is one
linear map. Both live under the name `classifier`.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.config import EncoderConfig
from ranklet.lora.linear import module_generator

HeadKind = Literal["dense", "linear"]
HEAD = "classifier"


class DenseHead(nn.Module):
    """RoBERTa's classification head: dropout, dense, tanh, dropout, out_proj."""

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.out_proj = nn.Linear(hidden_size, num_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (texts, hidden) float32 to logits (texts, classes) float32."""
        states = torch.tanh(self.dense(F.dropout(pooled, self.dropout, self.training)))
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


def needs_pooler(head: HeadKind, config: EncoderConfig) -> bool:
    """Tell whether the head reads BERT's pretrained pooler, as transformers' does."""
    return head == "dense" and config.architecture.pooler_feeds_head


def build_head(
    head: HeadKind, config: EncoderConfig, num_labels: int, dropout: float, seed: int
) -> nn.Module:
    """Build a head with float32 parameters drawn from N(0, 0.02), biases zero.

    Args:
        head: `dense` or `linear`.
        config: The encoder's sizes.
        num_labels: Classes.
        dropout: Dropout inside the head while training.
        seed: Seed of the initial values.
    """
    dense = head == "dense" and not needs_pooler(head, config)
    kind = DenseHead if dense else LinearHead
    module = kind(config.hidden_size, num_labels, dropout)
    if module_device(module).type != "meta":
        generator = module_generator(seed, HEAD)
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.ndim == 2:
                    parameter.normal_(std=0.02, generator=generator)
                else:
                    parameter.zero_()
    return module


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters."""
    return next(module.parameters()).device
