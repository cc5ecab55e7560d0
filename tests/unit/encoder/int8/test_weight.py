"""Products of bytes against the same products in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ranklet.encoder.int8 import weight as int8_weights
from ranklet.encoder.int8.rows import ZERO_POINT, quantize_rows
from ranklet.encoder.int8.weight import (
    ByteMatrix,
    Int8Rows,
    byte_matrix,
    int8_weight,
    multiplies_bytes,
)

DTYPES = {torch.float32: 1e-6, torch.bfloat16: 1e-2}


@pytest.fixture(params=["as this processor does", "without VNNI"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "without VNNI":
        monkeypatch.setattr(int8_weights, "multiplies_bytes", lambda: False)
    elif not multiplies_bytes():
        pytest.skip("this processor does not multiply bytes")
    return request.param == "as this processor does"


def matrix(rows: int, columns: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator).to(dtype)


def rounded(numbers: Tensor) -> Tensor:
    """What a matrix is once its rows are bytes, float64."""
    codes, scales = quantize_rows(numbers)
    return (codes.double() - ZERO_POINT) * scales.double()[:, None]


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs.double()).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 64, 96), (130, 384, 40), (1, 3072, 768)])
def test_products_are_those_of_the_rounded_numbers(
    way: bool, dtype: torch.dtype, shape: tuple[int, int, int]
) -> None:
    tokens, width, height = shape
    states, weight = matrix(tokens, width, dtype), matrix(height, width, seed=1)
    bias, residual = matrix(1, height, dtype, 2)[0], matrix(tokens, width, dtype, 3)
    rows = Int8Rows((int8_weight(weight.to(dtype)),))
    assert rows.parts[0].forward.packed is way
    expected = rounded(states) @ rounded(weight.to(dtype).float()).T + bias.double()
    assert distance(rows.apply(states, bias), expected) <= DTYPES[dtype]

    gradient = matrix(tokens, height, dtype, 4)
    transposed = rounded(weight.to(dtype).float().T.contiguous())
    expected = rounded(gradient) @ transposed.T + residual.double()
    assert distance(rows.input_gradient(gradient, residual), expected) <= DTYPES[dtype]


def test_a_weight_is_read_back_from_its_packed_form(way: bool) -> None:
    weight = matrix(96, 64)
    assert int8_weight(weight).dense().double().equal(rounded(weight).float().double())


def test_several_weights_are_one_below_the_other(way: bool) -> None:
    states, bias = matrix(9, 64), matrix(1, 96, seed=5)[0]
    parts = tuple(int8_weight(matrix(32, 64, seed=seed)) for seed in (1, 2, 3))
    together = Int8Rows(parts).apply(states, bias)
    apart = [Int8Rows((part,)).apply(states, bias[:32] * 0) for part in parts]
    assert (together - bias).allclose(torch.cat(apart, 1), atol=1e-5)
    gradient = matrix(9, 96, seed=6)
    expected = sum(
        Int8Rows((part,)).input_gradient(piece, None)
        for part, piece in zip(parts, gradient.chunk(3, 1), strict=True)
    )
    assert Int8Rows(parts).input_gradient(gradient, None).allclose(expected, atol=1e-5)


def test_large_columns_leave_codes_to_the_others(way: bool) -> None:
    states, weight = matrix(40, 64), matrix(96, 64, seed=1)
    large = torch.ones(64)
    large[[3, 40]] = 100.0
    states *= large
    weight /= large
    expected = states.double() @ weight.double().T
    plain, smoothed = (Int8Rows((int8_weight(weight, sizes),)) for sizes in (None, large))
    errors = [
        float((rows.apply(states, None).double() - expected).norm() / expected.norm())
        for rows in (plain, smoothed)
    ]
    assert errors[1] < 0.25 * errors[0]
    assert distance(smoothed.dense(), weight) <= 0.01
    # Backward there is nothing to divide: the same bits.
    gradient = matrix(5, 96, seed=4)
    ways = [rows.input_gradient(gradient, None) for rows in (plain, smoothed)]
    assert ways[0].equal(ways[1])


def test_another_scale_is_noticed(way: bool) -> None:
    states, weight = matrix(5, 64), matrix(96, 64, seed=1)
    own = byte_matrix(weight)
    wrong = ByteMatrix(own.codes, own.scales.flip(0), own.zeros, own.packed)
    codes, scales = quantize_rows(states)
    expected = rounded(states) @ rounded(weight).T
    found = [m.products(codes, torch.float32) * scales[:, None] for m in (own, wrong)]
    assert distance(found[0], expected) <= 1e-6
    assert distance(found[1], expected) > 1e-2
