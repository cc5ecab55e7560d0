"""Attention from packed projections to packed context, each way with its gradient.

On a CPU, for short texts, the probabilities are small and kept: the backward pass is then four
small products instead of a flash kernel's five with everything computed again (measured in float32,
50 tokens, heads of 32, one core: 3.6 ms against 8.6). Longer texts go through PyTorch's fused
kernel, padded. On a GPU, in half precision, PyTorch's kernel for packed texts needs no padding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ranklet.encoder.attention import has_packed_kernel, packed_attention
from ranklet.encoder.kernels import Kernel, faster_up_to
from ranklet.encoder.packing import PaddedLayout
from ranklet.encoder.precision import dtype_name

# Tokens of the longest text up to which probabilities are kept, where nothing is timed. In bfloat16
# PyTorch's kernel is the slower one for long (Intel Xeon with AMX, one core, 2,048 tokens, both
# ways: 75 ms against 336 at texts of 128 and heads of 32, 106 against 269 at 256); beyond 256 they
# would take much memory.
KEPT_UP_TO = {torch.bfloat16: 256}
KEPT_UP_TO_OTHERWISE = 64
KEPT_LENGTHS = (32, 64, 128, 256)

# Texts of different lengths in a batch that is timed: together a few hundred tokens at least.
TIMED_TOKENS = 1024
TIMED_HEADS = 4

Gradient = Callable[[Tensor], Tensor]
"""Gradient of the context (tokens, hidden) -> gradient of the projections (tokens, 3 * hidden)."""


def attend(
    projected: Tensor, layout: PaddedLayout, head_dim: int, recording: bool
) -> tuple[Tensor, Gradient]:
    """Let every token look at the tokens of its text.

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.1.

    Args:
        projected: (tokens, 3 * hidden): query, key and value beside each other.
        layout: Where the tokens stand.
        head_dim: Width of an attention head.
        recording: The gradient will be asked for, once.

    Returns:
        Context (tokens, hidden), and the gradient's function.
    """
    if has_packed_kernel(projected.device, projected.dtype, head_dim):
        return _attend_packed(projected, layout, head_dim, recording)
    padded = layout.pad(projected)
    heads = padded.view(*padded.shape[:2], 3, -1, head_dim).permute(2, 0, 3, 1, 4).contiguous()
    if projected.device.type == "cpu" and layout.max_seqlen <= kept_up_to(
        projected.dtype, head_dim
    ):
        return _attend_keeping(heads, layout)
    return _attend_padded(heads, layout, recording)


def kept_up_to(dtype: torch.dtype, head_dim: int) -> int:
    """Return the tokens of the longest text up to which keeping probabilities is not slower.

    Args:
        dtype: Compute dtype.
        head_dim: Width of an attention head.
    """

    def both(length: int) -> tuple[Kernel, Kernel]:
        lengths = [length, length // 2] * max(1, TIMED_TOKENS // (length + length // 2))
        starts = torch.tensor([0, *lengths]).cumsum(0).int()
        layout = PaddedLayout(starts, length)
        gradient = torch.randn(sum(lengths), TIMED_HEADS * head_dim).to(dtype)
        heads = torch.randn(3, len(lengths), TIMED_HEADS, length, head_dim).to(dtype)
        return (
            lambda: _attend_keeping(heads, layout)[1](gradient),
            lambda: _attend_padded(heads, layout, recording=True)[1](gradient),
        )

    return faster_up_to(
        f"attention, {dtype_name(dtype)}, heads of {head_dim}: probabilities kept up to tokens",
        KEPT_LENGTHS,
        KEPT_UP_TO.get(dtype, KEPT_UP_TO_OTHERWISE),
        both,
    )


def _attend_keeping(heads: Tensor, layout: PaddedLayout) -> tuple[Tensor, Gradient]:
    """Attend with products of our own; `heads` is (3, texts, heads, max_seqlen, head_dim)."""
    _, texts, num_heads, length, head_dim = heads.shape
    query, key, value = heads.flatten(1, 2)  # each (texts * heads, max_seqlen, head_dim)
    blocked = layout.key_bias(heads.dtype)
    if blocked is None:
        bias, beta = heads.new_empty(()), 0
    else:
        bias, beta = blocked.expand(texts, num_heads, 1, length).flatten(0, 1), 1
    scale = head_dim**-0.5
    scores = torch.baddbmm(bias, query, key.mT, beta=beta, alpha=scale)
    probabilities = scores.softmax(-1)
    context = (probabilities @ value).view(texts, num_heads, length, head_dim)

    def gradient_of(gradient: Tensor) -> Tensor:
        grid = layout.pad(gradient).view(texts, length, num_heads, head_dim)
        grid = grid.transpose(1, 2).flatten(0, 1)
        inner = torch.ops.aten._softmax_backward_data(
            grid @ value.mT, probabilities, -1, probabilities.dtype
        )
        gradients = torch.empty_like(heads)
        products = gradients.flatten(1, 2)
        torch.baddbmm(products[0], inner, key, beta=0, alpha=scale, out=products[0])
        torch.baddbmm(products[1], inner.mT, query, beta=0, alpha=scale, out=products[1])
        torch.bmm(probabilities.mT, grid, out=products[2])
        return _packed_projections(gradients, layout)

    return layout.unpad(context.transpose(1, 2).flatten(2)), gradient_of


def _attend_padded(heads: Tensor, layout: PaddedLayout, recording: bool) -> tuple[Tensor, Gradient]:
    """Attend by PyTorch's fused kernel, which brings its own gradient."""
    texts, num_heads, length, head_dim = heads.shape[1:]
    heads = heads.detach().requires_grad_(recording)
    with torch.set_grad_enabled(recording):
        context = F.scaled_dot_product_attention(
            heads[0], heads[1], heads[2], attn_mask=layout.key_mask()
        )

    def gradient_of(gradient: Tensor) -> Tensor:
        grid = layout.pad(gradient).view(texts, length, num_heads, head_dim).transpose(1, 2)
        return _packed_projections(torch.autograd.grad(context, heads, grid)[0], layout)

    return layout.unpad(context.detach().transpose(1, 2).flatten(2)), gradient_of


def _attend_packed(
    projected: Tensor, layout: PaddedLayout, head_dim: int, recording: bool
) -> tuple[Tensor, Gradient]:
    """Attend by PyTorch's kernel for packed texts (CUDA, half precision): no padding, no mask."""
    heads = projected.view(len(projected), 3, -1, head_dim).detach().requires_grad_(recording)
    with torch.set_grad_enabled(recording):
        context = packed_attention(layout.cu_seqlens, layout.max_seqlen)(*heads.unbind(1))

    def gradient_of(gradient: Tensor) -> Tensor:
        (gradients,) = torch.autograd.grad(context, heads, gradient.view_as(context))
        return gradients.flatten(1)

    return context.detach().flatten(1), gradient_of


def _packed_projections(gradients: Tensor, layout: PaddedLayout) -> Tensor:
    """Bring (3, texts, heads, max_seqlen, head_dim) back to (tokens, 3 * hidden)."""
    return layout.unpad(gradients.permute(1, 3, 0, 2, 4).flatten(2))
