"""Frozen weights in 8 or 4 bits, made dense again where a product needs them.

Dettmers et al. 2023 (arXiv:2305.14314), section 3: a block of numbers shares one scale, so that the
largest of them is 1, and each is kept as the nearest of a few levels. Only storage is small: every
product is computed in the compute dtype with a weight that lives as long as the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.encoder.int8.linear import Int8Linear
from ranklet.encoder.modules import replace_module
from ranklet.vocabulary import BlockFormat, Quantization

# Numbers of a row that share a scale (arXiv:2305.14314, section 2); both formats use it, so that
# one outlier costs precision only beside itself.
BLOCK = 64

# The 16 levels of NormalFloat4: quantiles of the normal distribution, scaled to [-1, 1], one of
# them zero (arXiv:2305.14314, appendix E).
NF4_LEVELS = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)
_INT8_LEVELS = 127


class QuantizedWeight(nn.Module):
    """A matrix in few bits a number.

    Args:
        weight: (rows, columns) floating point; its dtype is the one it comes back in.
        quantization: How it is kept.

    Attributes:
        codes: (rows, columns) int8, or (rows, columns / 2) uint8 with two levels a byte, the first
            in its upper half; columns are filled up with zeros to whole blocks.
        scales: (rows, blocks) float32, the largest magnitude of each block.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor, quantization: BlockFormat) -> None:
        super().__init__()
        self.quantization = quantization
        self.columns = weight.shape[1]
        self.dtype = weight.dtype
        filled = F.pad(weight.detach().float(), (0, -self.columns % BLOCK))
        blocks = filled.view(len(weight), -1, BLOCK)
        scales = blocks.abs().amax(-1)
        shares = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
        codes = _int8_codes(shares) if quantization == "int8" else _nf4_codes(shares)
        self.register_buffer("codes", codes.flatten(1).contiguous())
        self.register_buffer("scales", scales)

    def dense(self) -> Tensor:
        """Return the matrix, (rows, columns) in its compute dtype."""
        return self._dense(self.codes, self.scales)

    def rows(self, indices: Tensor) -> Tensor:
        """Return some rows, (n, columns) in the compute dtype, of (n,) indices."""
        return self._dense(self.codes[indices], self.scales[indices])

    def _dense(self, codes: Tensor, scales: Tensor) -> Tensor:
        if self.quantization == "int8":
            filled = _from_int8(codes, scales)
        elif codes.is_cuda and _has_bitsandbytes():
            filled = from_nf4_by_bitsandbytes(codes, scales, self.dtype)
        else:
            filled = _from_nf4(codes, scales)
        return filled[:, : self.columns].to(self.dtype)


class QuantizedLinear(nn.Module):
    """A frozen linear map whose weight is kept in few bits; its bias is as it was and may train.

    Attributes:
        kind: Class of the map.
    """

    def __init__(self, linear: nn.Linear, quantization: BlockFormat) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.kind = type(linear)
        self.stored = QuantizedWeight(linear.weight, quantization)
        self.bias = linear.bias

    @property
    def weight(self) -> Tensor:
        """The weight made dense, (out_features, in_features) compute dtype, new at every call."""
        return self.stored.dense()

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features) in the dtype of `states`."""
        product: Tensor = _FrozenProduct.apply(states, self.stored)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(states.dtype)


class QuantizedEmbedding(nn.Module):
    """A frozen embedding table in few bits; only the rows that are looked up become dense."""

    def __init__(self, table: nn.Embedding, quantization: BlockFormat) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.stored = QuantizedWeight(table.weight, quantization)

    @property
    def weight(self) -> Tensor:
        """The table made dense, (num_embeddings, embedding_dim), new at every call."""
        return self.stored.dense()

    def forward(self, token_ids: Tensor) -> Tensor:
        """Look up (...) int64: (..., embedding_dim) in the compute dtype."""
        rows = self.stored.rows(token_ids.flatten())
        return rows.view(*token_ids.shape, self.embedding_dim)


AnyLinear = nn.Linear | QuantizedLinear | Int8Linear
AnyEmbedding = nn.Embedding | QuantizedEmbedding


class _FrozenProduct(torch.autograd.Function):
    """states @ weight.T that keeps no dense weight for its gradient."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, stored: QuantizedWeight) -> Tensor:
        ctx.stored = stored
        return F.linear(states, stored.dense().to(states.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient @ ctx.stored.dense().to(gradient.dtype), None


def quantize_frozen(
    root: nn.Module, quantization: Quantization, exclude: Sequence[str] = ()
) -> None:
    """Keep a frozen module's linear maps and tables in few bits, in place.

    With `none` nothing changes; children named in `exclude` stay as they are.
    """
    if quantization == "none":
        return
    skipped = tuple(f"{name}." for name in exclude)
    for name, module in list(root.named_modules()):
        if f"{name}.".startswith(skipped):
            continue
        if isinstance(module, nn.Linear):
            replace_module(root, name, QuantizedLinear(module, quantization))
        elif isinstance(module, nn.Embedding):
            replace_module(root, name, QuantizedEmbedding(module, quantization))


def make_dense(root: nn.Module) -> None:
    """Give every map and table of few bits its weight in the compute dtype, in place."""
    for name, module in list(root.named_modules()):
        if isinstance(module, QuantizedLinear | Int8Linear):
            with torch.device("meta"):
                linear = module.kind(module.in_features, module.out_features)
            linear.weight = nn.Parameter(module.weight, requires_grad=False)
            linear.bias = module.bias
            replace_module(root, name, linear)
        elif isinstance(module, QuantizedEmbedding):
            with torch.device("meta"):
                table = nn.Embedding(module.num_embeddings, module.embedding_dim)
            table.weight = nn.Parameter(module.weight, requires_grad=False)
            replace_module(root, name, table)


def frozen_bytes(root: nn.Module) -> int:
    """Return the bytes of everything in a module that does not train, codes and scales included."""
    frozen = [tensor for tensor in root.parameters() if not tensor.requires_grad]
    return sum(tensor.nbytes for tensor in [*frozen, *root.buffers()])


def _int8_codes(shares: Tensor) -> Tensor:
    return (shares * _INT8_LEVELS).round().to(torch.int8)


def _nf4_codes(shares: Tensor) -> Tensor:
    levels = torch.tensor(NF4_LEVELS, device=shares.device)
    halfway = (levels[1:] + levels[:-1]) / 2
    nearest = torch.bucketize(shares, halfway).to(torch.uint8)
    return nearest[..., ::2] << 4 | nearest[..., 1::2]


def _from_int8(codes: Tensor, scales: Tensor) -> Tensor:
    shares = codes.view(len(codes), -1, BLOCK) / _INT8_LEVELS
    return shares.mul_(scales[..., None]).flatten(1)


def _from_nf4(codes: Tensor, scales: Tensor) -> Tensor:
    pairs = F.embedding(codes.int(), _level_pairs(codes.device))  # (rows, bytes, 2)
    shares = pairs.view(len(codes), -1, BLOCK)
    return shares.mul_(scales[..., None]).flatten(1)


def from_nf4_by_bitsandbytes(codes: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Make 4-bit codes dense with the kernel of bitsandbytes (extra `bitsandbytes`).

    Args:
        codes: (rows, bytes) uint8 as in `QuantizedWeight`, which is how bitsandbytes keeps them.
        scales: (rows, blocks) float32.
        dtype: Of the outcome.

    Returns:
        (rows, 2 * bytes).
    """
    from bitsandbytes.functional import (  # type: ignore[import-not-found, unused-ignore]
        QuantState,
        dequantize_4bit,
    )

    state = QuantState(
        absmax=scales.flatten(),
        shape=torch.Size((len(codes), 2 * codes.shape[1])),
        code=torch.tensor(NF4_LEVELS, device=codes.device),
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=dtype,
    )
    dense: Tensor = dequantize_4bit(codes.view(-1, 1), state)
    return dense


@cache
def _has_bitsandbytes() -> bool:
    return find_spec("bitsandbytes") is not None


def _level_pairs(device: torch.device) -> Tensor:
    """Return the two levels of every byte, (256, 2) float32."""
    levels = torch.tensor(NF4_LEVELS, device=device)
    return torch.cartesian_prod(levels, levels)
