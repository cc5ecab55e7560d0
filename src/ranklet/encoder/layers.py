"""The one loop over layers that every native encoder computes with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ranklet.batch import Batch
from ranklet.encoder.attention import Attend
from ranklet.encoder.fused.layer import FusibleLayer, fused_layer
from ranklet.encoder.packing import PaddedLayout

BuildAttention = Callable[[Tensor, int, bool], Attend]
"""(cu_seqlens, max_seqlen, first_only) -> attention, as in `ATTENTION_BACKENDS`."""


class LayeredEncoder(Protocol):
    """What every native encoder has."""

    fused: bool
    activation_checkpointing: bool

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, first to last, each called as `layer(rows, hidden, attend)`."""

    def embed(self, batch: Batch) -> Tensor:
        """Return the states that enter the first layer, (tokens, hidden), compute dtype."""

    def attention(self, batch: Batch, first_only: bool = False) -> list[Attend]:
        """Return the attention of each layer; with `first_only` the last takes first tokens."""


def last_states(encoder: LayeredEncoder, batch: Batch, first_only: bool) -> Tensor:
    """Return what leaves the last layer.

    Args:
        encoder: The encoder.
        batch: Packed texts; their states may enter at a higher layer than the first.
        first_only: Return each text's first token only; the last layer then computes no other.

    Returns:
        (tokens, hidden), or (texts, hidden) with `first_only`; compute dtype.
    """
    last = len(encoder.layers) - 1
    if not first_only:
        return states_entering(encoder, last + 1, batch)
    hidden = states_entering(encoder, last, batch)
    rows = hidden[batch.cu_seqlens[:-1].long()]
    states: Tensor = encoder.layers[last](rows, hidden, encoder.attention(batch, True)[last])
    return states


def states_entering(encoder: LayeredEncoder, layer: int, batch: Batch) -> Tensor:
    """Return the hidden states that enter a layer: (tokens, hidden) in the compute dtype.

    Args:
        encoder: The encoder.
        layer: Counted from 0, at least `batch.first_layer`.
        batch: Packed texts.
    """
    hidden = encoder.embed(batch) if batch.hidden_states is None else batch.hidden_states
    layout = PaddedLayout(batch.cu_seqlens, batch.max_seqlen)
    chosen = slice(batch.first_layer, layer)
    attends = encoder.attention(batch)[chosen]
    for module, attend in zip(encoder.layers[chosen], attends, strict=True):
        maps = module.maps() if encoder.fused and isinstance(module, FusibleLayer) else None
        if maps is not None:
            hidden = fused_layer(hidden, layout, maps, encoder.activation_checkpointing)
        elif encoder.activation_checkpointing and torch.is_grad_enabled():
            hidden = checkpoint(module, hidden, hidden, attend, use_reentrant=False)
        else:
            hidden = module(hidden, hidden, attend)
    return hidden


def equal_attention(
    build: BuildAttention, batch: Batch, first_only: bool, num_layers: int
) -> list[Attend]:
    """Return the attention of each layer of an encoder whose layers all attend alike.

    Args:
        build: Attention backend.
        batch: Packed texts.
        first_only: The last layer computes each text's first token only.
        num_layers: Layers.
    """
    every = [build(batch.cu_seqlens, batch.max_seqlen, False)] * num_layers
    if first_only:
        every[-1] = build(batch.cu_seqlens, batch.max_seqlen, True)
    return every


def table(rows: int, width: int) -> nn.Embedding:
    """Return an embedding table without values; files fill it."""
    # Not nn.Embedding(rows, width): drawing its values on the meta device loads PyTorch's compiler,
    # 1.9 of the 4 seconds of a classify (2026-11-21), and files overwrite them anyway.
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))
