"""A frozen weight as two matrices of 8-bit integers, one for each way through it.

A scale can be taken out of a sum only if it is the same for all its terms. Forward, the terms of a
sum are a row of the weight; backward, they are a column. So there is a copy with a scale for each
row, and a transposed one with a scale for each column, together as many bytes as in bfloat16. Only
the product of activations with weights and of gradients with weights is in integers, as in
Wortsman et al. 2023 (arXiv:2304.13013), section 2.2; a frozen weight has no gradient.

A few columns of activations may be far larger than the rest, which then has few codes left. As in
Xiao et al. 2022 (arXiv:2211.10438), section 4, equation 4 with alpha 0.5, such columns are divided
by the root of their size and the weight's multiplied by it. The size is not measured on texts: it
is what the norm before the map makes of a standard normal number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ranklet.encoder.int8.rows import ZERO_POINT, quantize_rows, scale_rows

# Rows of a product for which oneDNN chooses the layout; it multiplies any number of them.
TYPICAL_ROWS = 1024


@cache
def multiplies_bytes() -> bool:
    """Tell whether oneDNN multiplies bytes exactly on this processor.

    Without VNNI it adds pairs of products in 16 bits, which overflow.
    """
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and (torch.cpu._is_vnni_supported() or torch.cpu._is_amx_tile_supported())


@dataclass(frozen=True, eq=False)
class ByteMatrix:
    """A matrix as 8-bit integers with a scale for each row.

    Attributes:
        codes: (rows, columns) int8; packed: the same as only oneDNN can read it.
        scales: (rows,) float32.
        zeros: (rows,) int32, all 0: the code of zero.
        packed: Whether oneDNN holds the codes.
    """

    codes: Tensor
    scales: Tensor
    zeros: Tensor
    packed: bool

    def products(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Multiply (n, columns) uint8, 128 for zero: (n, rows), times the scales of this matrix."""
        if not self.packed:
            sums = (codes.float() - ZERO_POINT) @ self.codes.float().T
            return sums.mul_(self.scales).to(dtype)
        products: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(codes, 1.0, ZERO_POINT, self.codes, self.scales, self.zeros),
            *(None, 1.0, 0, dtype, "none", [], ""),
        )
        return products


def byte_matrix(matrix: Tensor, factors: Tensor | None = None) -> ByteMatrix:
    """Round each row of a matrix (rows, columns) to whole multiples of its scale.

    Args:
        matrix: In the compute dtype.
        factors: (columns,) float32 that each row is multiplied by first.
    """
    codes, scales = quantize_rows(matrix.detach(), factors)
    signed = (codes ^ ZERO_POINT).view(torch.int8)  # 128 less, as two's complement has it
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    packed = multiplies_bytes()
    if packed:
        signed = torch.ops.onednn.qlinear_prepack(signed, [TYPICAL_ROWS, matrix.shape[1]])
    return ByteMatrix(signed, scales, zeros, packed)


@dataclass(frozen=True, eq=False)
class Int8Weight:
    """A frozen weight, (out_features, in_features), for products in integers.

    Attributes:
        forward: A scale for each of its rows.
        backward: The same transposed, a scale for each of its columns.
        factors: (in_features,) float32 that activations are multiplied by; None: by 1. The weight
            was divided by them.
        dtype: The compute dtype.
    """

    forward: ByteMatrix
    backward: ByteMatrix
    factors: Tensor | None
    dtype: torch.dtype

    def dense(self) -> Tensor:
        """Return the weight that the forward pass multiplies by, (out, in) float32.

        What is packed is read back by multiplying it with the identity.
        """
        width = len(self.backward.scales)
        identity = torch.eye(width).add_(ZERO_POINT).to(torch.uint8)
        weight = self.forward.products(identity, torch.float32).T
        return weight.contiguous() if self.factors is None else weight * self.factors


def int8_weight(weight: Tensor, sizes: Tensor | None = None) -> Int8Weight:
    """Round a weight (out_features, in_features), which stays as it is, for both ways.

    Args:
        weight: The weight.
        sizes: (in_features,) of the activations it multiplies, above 0; None: all alike.
    """
    roots = None if sizes is None else sizes.float().sqrt()
    factors = None if roots is None else roots.reciprocal()
    return Int8Weight(byte_matrix(weight, roots), byte_matrix(weight.T), factors, weight.dtype)


@dataclass(frozen=True, eq=False)
class Int8Rows:
    """Several weights below each other; scales and factors of activations are of them all."""

    parts: tuple[Int8Weight, ...]

    def dense(self) -> Tensor:
        """Return (rows of all, columns) in the compute dtype."""
        return torch.cat([part.dense() for part in self.parts]).to(self.parts[0].dtype)

    def apply(self, states: Tensor, bias: Tensor | None) -> Tensor:
        """Map (tokens, in_features) to (tokens, out_features of all), with a bias of as many."""
        codes, scales = quantize_rows(states, self.parts[0].factors)
        if len(self.parts) == 1:
            products = self.parts[0].forward.products(codes, states.dtype)
            return scale_rows(products, scales, products, bias)
        blocks = self._blocks()
        outcome = states.new_empty(len(states), blocks[-1].stop)
        for part, block in zip(self.parts, blocks, strict=True):
            products = part.forward.products(codes, states.dtype)
            own = None if bias is None else bias[block]
            scale_rows(products, scales, outcome[:, block], own)
        return outcome

    def input_gradient(self, gradient: Tensor, residual: Tensor | None) -> Tensor:
        """Return the gradient of what was mapped, (tokens, in_features), added to a residual."""
        total = residual
        for part, block in zip(self.parts, self._blocks(), strict=True):
            codes, scales = quantize_rows(gradient[:, block])
            products = part.backward.products(codes, gradient.dtype)
            total = scale_rows(products, scales, products, residual=total)
        assert total is not None
        return total

    def _blocks(self) -> Sequence[slice]:
        blocks: list[slice] = []
        for part in self.parts:
            first = blocks[-1].stop if blocks else 0
            blocks.append(slice(first, first + len(part.forward.scales)))
        return blocks
