"""Rows of numbers as 8-bit integers with a scale for each, and sums of products made numbers again.

Dettmers et al. 2022 (arXiv:2208.07339), section 2.1: the largest magnitude of a row is 127, the
others are rounded to whole multiples of a 127th of it. Every row of activations or gradients has a
scale of its own, as every row of a weight has, so that a scale can be taken out of each sum.

Codes are unsigned with 128 for zero: oneDNN multiplies signed ones by a slow kernel on processors
without AMX (measured 2026-11-26: minutes for a product).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ranklet.encoder.int8.compiled import compiled_rows

LEVELS = 127
ZERO_POINT = 128

# Rows with no larger magnitude are zero: their scale would leave the range of float32.
SMALLEST = 1e-30

NAMES = {torch.bfloat16: "bfloat16", torch.float32: "float32"}


def quantize_rows(states: Tensor, factors: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Round each row to whole multiples of a 127th of its largest magnitude.

    Args:
        states: (rows, columns) bfloat16 or float32, on the CPU.
        factors: (columns,) float32 that each row is multiplied by first.

    Returns:
        Codes (rows, columns) uint8, 128 for zero, and scales (rows,) float32. A row with infinite
        numbers, or with such that are none, has such a scale, and so nothing finite comes of it.
    """
    library = compiled_rows()
    if library is None:
        return quantize_rows_by_torch(states, factors)
    if states.stride(1) != 1:
        states = states.contiguous()
    codes = torch.empty(states.shape, dtype=torch.uint8)
    scales = torch.empty(len(states), dtype=torch.float32)
    function = getattr(library, f"quantize_{NAMES[states.dtype]}")
    sizes = states.stride(0), *states.shape
    function(
        states.data_ptr(),
        *sizes,
        _address(factors),
        codes.data_ptr(),
        scales.data_ptr(),
        torch.get_num_threads(),
    )
    return codes, scales


def quantize_rows_by_torch(states: Tensor, factors: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Do what `quantize_rows` does, to the same bits, where there is no C compiler."""
    numbers = states.contiguous().float()
    numbers = numbers if factors is None else numbers * factors
    largest = numbers.abs().amax(1)
    # A number over a tensor is the tensor's reciprocal times the number, rounded twice.
    shares = torch.where(largest < SMALLEST, 0, torch.full_like(largest, LEVELS) / largest)
    scales = torch.where(largest < SMALLEST, 0, largest / LEVELS)
    codes = (numbers * shares[:, None]).round_().nan_to_num_(0.0)
    return codes.add_(ZERO_POINT).to(torch.uint8), scales


def scale_rows(
    sums: Tensor,
    scales: Tensor,
    outcome: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """Multiply each row by its scale, and add a bias or a residual, in place of `outcome`.

    Args:
        sums: (rows, columns) bfloat16 or float32, contiguous; may be `outcome`.
        scales: (rows,) float32.
        outcome: (rows, columns) of the same dtype, columns beside each other.
        bias: (columns,) of the same dtype.
        residual: (rows, columns) of the same dtype, laid out as `outcome`; only without a bias.

    Returns:
        `outcome`.
    """
    library = compiled_rows()
    if library is None:
        return scale_rows_by_torch(sums, scales, outcome, bias, residual)
    assert residual is None or (bias is None and residual.stride() == outcome.stride())
    getattr(library, f"scale_{NAMES[sums.dtype]}")(
        sums.data_ptr(),
        scales.data_ptr(),
        *sums.shape,
        _address(bias),
        _address(residual),
        outcome.data_ptr(),
        outcome.stride(0),
        torch.get_num_threads(),
    )
    return outcome


def scale_rows_by_torch(
    sums: Tensor,
    scales: Tensor,
    outcome: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """Do what `scale_rows` does, to the same bits, where there is no C compiler."""
    scaled = sums.float() * scales[:, None]
    added = residual if bias is None else bias
    return outcome.copy_(scaled if added is None else scaled.add_(added.float()))


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
