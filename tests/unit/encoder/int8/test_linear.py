"""A linear map in integers where layers are not fused: values, gradients, shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ranklet.encoder.int8.linear import Int8Linear, multiplies_in_int8, multiply_in_int8
from ranklet.encoder.quantization import make_dense


@pytest.mark.parametrize("bias", [True, False])
def test_it_is_nearly_the_map_it_was_with_nearly_its_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(64, 96, bias=bias)
    ours = Int8Linear(plain)
    outcomes = []
    for module in (plain, ours):
        plain.zero_grad()
        states = torch.linspace(-1, 1, 3 * 5 * 64).sin().view(3, 5, 64).requires_grad_()
        mapped = module(states)
        (mapped * torch.linspace(-1, 2, mapped.numel()).view_as(mapped)).sum().backward()
        outcomes.append((mapped.detach(), states.grad, plain.bias.grad if bias else None))
    for one, other in zip(*outcomes, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.shape == other.shape
            assert (one - other).norm() <= 0.03 * one.norm()
            assert not one.equal(other) or one.dim() == 1


def test_maps_are_replaced_where_they_are_and_become_dense_again() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16)))
    model[1].requires_grad_(False)
    weight = model[1][0].weight.clone()
    multiply_in_int8(model, {})
    assert isinstance(model[0], nn.Linear)  # it trains
    assert isinstance(model[1][0], Int8Linear)
    assert multiplies_in_int8(model)
    assert (model[1][0].weight - weight).abs().max() <= weight.abs().max() / 250
    make_dense(model)
    assert not multiplies_in_int8(model)
    assert isinstance(model[1][0], nn.Linear)
