"""The one loop over layers that every native encoder computes with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.encoder.attention import Attend

BuildAttention = Callable[[Tensor, int, bool], Attend]
"""(cu_seqlens, max_seqlen, first_only) -> attention, as in `ATTENTION_BACKENDS`."""


def run_layers(
    layers: Iterable[nn.Module],
    attends: Iterable[Attend],
    hidden: Tensor,
    first_rows: Tensor | None = None,
) -> Tensor:
    """Send hidden states through layers, each called as `layer(rows, hidden, attend)`.

    Args:
        layers: At least one: all of an encoder's, or those from some layer on.
        attends: The attention of each.
        hidden: (tokens, hidden) states entering the first of them.
        first_rows: (texts,) int64 rows that the last layer computes; its attention then takes the
            queries of these only. None: all rows.

    Returns:
        (tokens, hidden), or (texts, hidden) with `first_rows`.
    """
    *lower, (last, last_attend) = zip(layers, attends, strict=True)
    for layer, attend in lower:
        hidden = layer(hidden, hidden, attend)
    rows = hidden if first_rows is None else hidden[first_rows]
    states: Tensor = last(rows, hidden, last_attend)
    return states


def first_rows(batch: Batch, first_only: bool) -> Tensor | None:
    """Return the row of each text's first token, (texts,) int64, or None for all rows."""
    return batch.cu_seqlens[:-1].long() if first_only else None


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
