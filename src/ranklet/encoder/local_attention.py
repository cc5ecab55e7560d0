"""Attention to neighbours only, without a mask over whole texts.

Each token attends to the tokens of its own text at most `window` positions away on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ranklet.encoder.attention import Attend, BuildAttention, sdpa_attention
from ranklet.encoder.packing import positions_in_text
from ranklet.vocabulary import AttentionBackend

BuildLocalAttention = Callable[[Tensor, int, int], Attend]
"""(cu_seqlens, max_seqlen, window) -> attention, as in `BuildAttention`; the window is the largest
distance of a token that is attended to, tokens."""


def reference_local_attention(cu_seqlens: Tensor, max_seqlen: int, window: int) -> Attend:
    """Return local attention computed text by text, with every score that is then masked.

    Beltagy et al. 2020 (arXiv:2004.05150), section 3.1, sliding window.
    """
    del max_seqlen  # taken so that backends are alike
    lengths = (cu_seqlens[1:] - cu_seqlens[:-1]).tolist()

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        queries, keys, values = (torch.split(states, lengths) for states in (query, key, value))
        texts = zip(queries, keys, values, strict=True)
        return torch.cat([_attend_text(q, k, v, window) for q, k, v in texts])

    return attend


def _attend_text(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    scores = torch.einsum("qhd,khd->hqk", query.float(), key.float()) * query.shape[-1] ** -0.5
    places = torch.arange(len(query), device=query.device)
    far = (places[:, None] - places).abs() > window
    weights = scores.masked_fill(far, float("-inf")).softmax(-1)
    return torch.einsum("hqk,khd->qhd", weights, value.float()).to(query.dtype)


def sdpa_local_attention(cu_seqlens: Tensor, max_seqlen: int, window: int) -> Attend:
    """Return local attention by `scaled_dot_product_attention` over blocks of `window` tokens.

    Texts are cut into blocks; a block's queries meet the keys of it and of its two neighbours. For
    each token that is 3 x window scores per head and mask values, whatever the length of the text,
    and three copies of its key and value. Texts of at most window + 1 tokens, if the batch has no
    longer ones, are attended to whole: there every token is near.
    """
    if max_seqlen <= window + 1:
        return sdpa_attention(cu_seqlens, max_seqlen)
    slots, text_of_block = _blocks(cu_seqlens, window)
    mask = _near_and_same_text(slots, text_of_block, window)

    def spread(packed: Tensor) -> Tensor:
        shape = packed.shape[1:]
        flat = packed.new_zeros(len(text_of_block) * window, *shape)
        return flat.index_copy(0, slots, packed).view(-1, window, *shape)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        blocks = (spread(query), _with_neighbours(spread(key)), _with_neighbours(spread(value)))
        q, k, v = (states.transpose(1, 2) for states in blocks)  # (blocks, heads, ., head_dim)
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
        return context.flatten(0, 1).index_select(0, slots)

    return attend


def _blocks(cu_seqlens: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return the place of each token among the blocks, and the text of each block."""
    lengths = (cu_seqlens[1:] - cu_seqlens[:-1]).long()
    num_tokens = int(cu_seqlens[-1])
    blocks = (lengths + window - 1) // window
    before = blocks.cumsum(0) - blocks  # blocks of earlier texts
    texts = torch.arange(len(lengths), device=lengths.device)
    start = torch.repeat_interleave(before * window, lengths, output_size=num_tokens)
    slots = start + positions_in_text(cu_seqlens, num_tokens)
    return slots, torch.repeat_interleave(texts, blocks)


def _near_and_same_text(slots: Tensor, text_of_block: Tensor, window: int) -> Tensor:
    """Return (blocks, 1, window, 3 x window) bool, True where a query may see a key."""
    block_of_slot = slots // window
    text_of_slot = torch.full_like(text_of_block, -1).repeat_interleave(window)
    text_of_slot[slots] = text_of_block[block_of_slot]
    texts = _with_neighbours(text_of_slot.view(-1, window) + 1) - 1  # -1: no token
    same_text = texts == text_of_block[:, None]
    query = torch.arange(window, device=slots.device)[:, None] + window
    near = (torch.arange(3 * window, device=slots.device) - query).abs() <= window
    return (same_text[:, None, :] & near)[:, None]


def _with_neighbours(blocks: Tensor) -> Tensor:
    """Join each of (blocks, window, ...) with the one before and after: (blocks, 3 window, ...)."""
    edge = blocks.new_zeros(1, *blocks.shape[1:])
    padded = torch.cat([edge, blocks, edge])
    return torch.cat([padded[:-2], padded[1:-1], padded[2:]], dim=1)


def first_token_attention(
    cu_seqlens: Tensor, max_seqlen: int, window: int, build: BuildAttention
) -> Attend:
    """Return local attention of each text's first token alone, to the first window + 1 tokens."""
    seen = positions_in_text(cu_seqlens, int(cu_seqlens[-1])) <= window
    starts = torch.zeros_like(cu_seqlens)
    starts[1:] = (cu_seqlens[1:] - cu_seqlens[:-1]).clamp(max=window + 1).cumsum(0)
    attend = build(starts, min(max_seqlen, window + 1), True)
    return lambda query, key, value: attend(query, key[seen], value[seen])


LOCAL_BACKENDS: Mapping[AttentionBackend, BuildLocalAttention] = {
    "reference": reference_local_attention,
    "sdpa": sdpa_local_attention,
}
