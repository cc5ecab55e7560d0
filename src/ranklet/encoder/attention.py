"""Attention of packed texts: each token attends to the tokens of its own text only.

Two backends compute the same: `reference`, written to be read, and `sdpa`, PyTorch's fused kernel
over texts padded to the longest of the batch, or its kernel for packed texts where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ranklet.encoder.packing import PaddedLayout

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query, key, value) -> context like query; each (tokens, heads, head_dim), compute dtype."""

BuildAttention = Callable[[Tensor, int, bool], Attend]
"""(cu_seqlens, max_seqlen, first_only) -> attention: (texts + 1,) int32 start of each text; the
longest text, tokens, where more changes nothing but the time; whether the queries are those of each
text's first token, (texts, heads, head_dim)."""


def reference_attention(cu_seqlens: Tensor, max_seqlen: int, first_only: bool = False) -> Attend:
    """Return attention computed text by text.

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.1: softmax(Q K^T / sqrt(head_dim)) V, the
    softmax in float32.
    """
    del max_seqlen  # taken so that backends are alike
    lengths = (cu_seqlens[1:] - cu_seqlens[:-1]).tolist()
    query_lengths = [1] * len(lengths) if first_only else lengths

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        queries = torch.split(query, query_lengths)
        keys, values = (torch.split(states, lengths) for states in (key, value))
        return torch.cat([_attend_text(*text) for text in zip(queries, keys, values, strict=True)])

    return attend


def _attend_text(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = torch.einsum("qhd,khd->hqk", query.float(), key.float()) * query.shape[-1] ** -0.5
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value.float()).to(query.dtype)


def has_packed_kernel(device: torch.device, dtype: torch.dtype, head_dim: int) -> bool:
    """Tell whether PyTorch's attention kernel for packed texts takes such states."""
    return (
        device.type == "cuda"
        and dtype in (torch.float16, torch.bfloat16)
        and head_dim % 8 == 0
        and head_dim <= 256
        and torch.cuda.get_device_capability(device) >= (8, 0)
    )


def packed_attention(cu_seqlens: Tensor, max_seqlen: int, first_only: bool = False) -> Attend:
    """Return attention by PyTorch's kernel for packed texts: no padding, no mask, no waiting."""
    from torch.nn.attention.varlen import varlen_attn

    starts, longest = cu_seqlens, max_seqlen
    if first_only:
        starts, longest = torch.arange(len(cu_seqlens), device=cu_seqlens.device).int(), 1

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        context = varlen_attn(query, key, value, starts, cu_seqlens, longest, max_seqlen)
        assert isinstance(context, Tensor)
        return context

    return attend


def sdpa_attention(cu_seqlens: Tensor, max_seqlen: int, first_only: bool = False) -> Attend:
    """Return attention by the packed kernel, else by `scaled_dot_product_attention`, padded."""
    layout = PaddedLayout(cu_seqlens, max_seqlen)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if has_packed_kernel(query.device, query.dtype, query.shape[-1]):
            return packed_attention(cu_seqlens, max_seqlen, first_only)(query, key, value)
        grid = query.unsqueeze(1) if first_only else layout.pad(query)
        q, k, v = (states.transpose(1, 2) for states in (grid, layout.pad(key), layout.pad(value)))
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=layout.key_mask()).transpose(
            1, 2
        )
        return context.squeeze(1) if first_only else layout.unpad(context)

    return attend


ATTENTION_BACKENDS: Mapping[str, BuildAttention] = {
    "reference": reference_attention,
    "sdpa": sdpa_attention,
}
