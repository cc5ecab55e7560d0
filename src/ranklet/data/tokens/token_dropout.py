"""Augmentation: training texts that are a little different every time they are seen."""

from __future__ import annotations

from dataclasses import replace

import torch

from ranklet.batch import Batch


def drop_tokens(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """Leave out some tokens of a packed batch.

    Random deletion (Wei & Zou 2019, arXiv:1901.11196, section 2) on tokens. The first and the last
    token of a text always stay: they are the special ones.

    Every other token of the batch, which is on the CPU, is left out with the share as probability;
    equal states of the generator give equal batches.

    Returns:
        A shorter batch of the same texts.
    """
    stays = torch.rand(batch.num_tokens, generator=generator) >= share
    filled = batch.cu_seqlens[1:] > batch.cu_seqlens[:-1]
    stays[batch.cu_seqlens[:-1][filled].long()] = True
    stays[batch.cu_seqlens[1:][filled].long() - 1] = True
    before = torch.cat([stays.new_zeros(1, dtype=torch.int64), stays.cumsum(0)])
    starts = before[batch.cu_seqlens.long()].int()
    states = batch.hidden_states
    return replace(
        batch,
        token_ids=batch.token_ids[stays],
        cu_seqlens=starts,
        max_seqlen=int((starts[1:] - starts[:-1]).max()),
        hidden_states=None if states is None else states[stays],
    )
