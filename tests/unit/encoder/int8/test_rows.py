"""Rows as bytes: the compiled functions and their twins in PyTorch give the same bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ranklet.encoder.int8 import rows
from ranklet.encoder.int8.compiled import compiled_rows
from ranklet.encoder.int8.rows import (
    LEVELS,
    ZERO_POINT,
    quantize_rows,
    quantize_rows_by_torch,
    scale_rows,
    scale_rows_by_torch,
)

DTYPES = (torch.bfloat16, torch.float32)
needs_compiler = pytest.mark.skipif(compiled_rows() is None, reason="there is no C compiler")


def numbers(*shape: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """Numbers of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randn(shape, generator=generator).exp()
    return (torch.randn(shape, generator=generator) * sizes).to(dtype)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@given(height=st.integers(0, 9), width=st.integers(1, 70), seed=st.integers(0, 999))
def test_codes_and_scales_are_the_same_bits(
    dtype: torch.dtype, height: int, width: int, seed: int
) -> None:
    states = numbers(height, width, dtype=dtype, seed=seed)
    for factors in (None, numbers(width, dtype=torch.float32, seed=seed + 1).abs()):
        pairs = zip(
            quantize_rows(states, factors), quantize_rows_by_torch(states, factors), strict=True
        )
        assert all(ours.equal(theirs) for ours, theirs in pairs)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("added", ["bias", "residual", "nothing"])
def test_scaled_rows_are_the_same_bits(dtype: torch.dtype, added: str) -> None:
    sums, scales = numbers(7, 67, dtype=dtype), numbers(7, dtype=torch.float32).abs()
    shape = {"bias": (67,), "residual": (7, 67), "nothing": None}[added]
    given = {} if shape is None else {added: numbers(*shape, dtype=dtype, seed=1)}
    ours = scale_rows(sums, scales, torch.empty_like(sums), **given)
    assert ours.equal(scale_rows_by_torch(sums, scales, torch.empty_like(sums), **given))


@needs_compiler
def test_a_twin_that_rounds_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    states = numbers(50, 70, dtype=torch.float32)
    monkeypatch.setattr(rows, "LEVELS", LEVELS - 0.1)
    assert not quantize_rows(states)[0].equal(quantize_rows_by_torch(states)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_is_off_by_half_a_step_at_most(dtype: torch.dtype) -> None:
    states = numbers(20, 300, dtype=dtype)
    codes, scales = quantize_rows(states)
    back = (codes.float() - ZERO_POINT) * scales[:, None]
    assert ((back - states.float()).abs() <= 0.5001 * scales[:, None]).all()
    assert (codes.int() - ZERO_POINT).abs().amax(1).eq(LEVELS).all()


def test_a_row_of_zeros_is_zero_and_a_part_of_a_row_is_read_where_it_lies() -> None:
    states = numbers(4, 60, dtype=torch.float32)
    states[2] = 0
    states[3] = 1e-35
    codes, scales = quantize_rows(states[:, 20:40])
    assert codes[2:].eq(ZERO_POINT).all()
    assert scales[2:].eq(0).all()
    whole, _ = quantize_rows(states[:, 20:40].clone())
    assert codes.equal(whole)


@pytest.mark.parametrize("quantize", [quantize_rows, quantize_rows_by_torch])
def test_rows_that_lie_as_columns_are_rows_in_the_outcome(quantize: Any) -> None:
    codes, _ = quantize(numbers(5, 8, dtype=torch.float32).T)
    assert codes.shape == (8, 5)
    assert codes.is_contiguous()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_not_finite_stays_so(dtype: torch.dtype, odd: float, compiled: bool) -> None:
    states = numbers(3, 64, dtype=dtype)
    states[1, 5] = odd
    quantize, scale = (
        (quantize_rows, scale_rows) if compiled else (quantize_rows_by_torch, scale_rows_by_torch)
    )
    codes, scales = quantize(states)
    outcome = scale(torch.ones_like(states), scales, torch.empty_like(states))
    assert outcome.isfinite().all(1).tolist() == [True, False, True]
    assert codes[0].ne(ZERO_POINT).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_a_compiler_the_twins_answer(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = numbers(5, 64, dtype=dtype)
    before = quantize_rows(states), scale_rows(states, torch.ones(5), torch.empty_like(states))
    monkeypatch.setattr(rows, "compiled_rows", lambda: None)
    after = quantize_rows(states), scale_rows(states, torch.ones(5), torch.empty_like(states))
    assert all(one.equal(other) for one, other in zip(before[0], after[0], strict=True))
    assert before[1].equal(after[1])
