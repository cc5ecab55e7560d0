"""Where adapters start, and what is saved of a start that is subtracted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ranklet.errors import AdapterError
from ranklet.lora.initial import (
    Factors,
    check_rank,
    doubled_alpha,
    main_directions,
    plain_tensors,
    weight_factors,
)
from ranklet.lora.linear import LoRALinear, lora_scaling

WEIGHT = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))


def test_pissa_is_the_best_approximation_of_its_rank() -> None:
    factors = weight_factors(WEIGHT, 2, 3.0, "pissa")
    assert factors is not None
    rest = WEIGHT - 3.0 * factors.up @ factors.down
    values = torch.linalg.svdvals(WEIGHT)
    torch.testing.assert_close(torch.linalg.svdvals(rest)[:3], values[2:])


def test_olora_has_orthonormal_columns_and_all_of_a_full_rank() -> None:
    factors = weight_factors(WEIGHT, 5, 1.0, "olora")
    assert factors is not None
    torch.testing.assert_close(factors.up.T @ factors.up, torch.eye(5))
    torch.testing.assert_close(factors.up @ factors.down, WEIGHT)


@pytest.mark.parametrize("init", ["default", "eva"])
def test_other_starts_take_nothing_from_the_weight(init: Any) -> None:
    assert weight_factors(WEIGHT, 2, 1.0, init) is None


@pytest.mark.parametrize("init", ["pissa", "olora", "default"])
@pytest.mark.parametrize("use_dora", [False, True])
def test_a_start_changes_nothing_and_saves_as_plain_lora(init: Any, use_dora: bool) -> None:
    linear, states = nn.Linear(5, 7), torch.randn(9, 5)
    scaling = lora_scaling(2, 6.0, use_rslora=True)
    root = nn.ModuleDict(
        {"a": LoRALinear(linear, 2, scaling, 0.0, torch.Generator(), use_dora, init)}
    )
    adapted = root["a"]
    assert isinstance(adapted, LoRALinear)
    torch.testing.assert_close(adapted(states), linear(states))
    with torch.no_grad():
        for parameter in (adapted.lora_A.weight, adapted.lora_B.weight):
            parameter.add_(0.5)
    state = {name: p for name, p in root.named_parameters() if "lora_" in name}
    tensors, fixed = plain_tensors(root, state)
    rank = len(tensors["a.lora_A.weight"])
    assert (rank, fixed) == ((2, 0) if init == "default" else (4, 2 * (5 + 7)))
    alpha = 6.0 if init == "default" else doubled_alpha(6.0, use_rslora=True)
    plain = LoRALinear(
        linear, rank, lora_scaling(rank, alpha, use_rslora=True), 0.0, torch.Generator(), use_dora
    )
    plain.load_state_dict({n.removeprefix("a."): t for n, t in tensors.items()}, strict=False)
    torch.testing.assert_close(plain(states), adapted(states))
    # Its sabotaged twin: without the start it is another map.
    if init != "default":
        with torch.no_grad():
            plain.lora_B.weight[:, 2:] = 0
        assert (plain(states) - adapted(states)).abs().max() > 1e-3


def test_dora_scales_each_row_to_its_trained_length() -> None:
    linear = nn.Linear(5, 7)
    adapted = LoRALinear(linear, 2, 1.0, 0.0, torch.Generator().manual_seed(1), use_dora=True)
    assert adapted.lora_magnitude_vector is not None
    with torch.no_grad():
        adapted.lora_B.weight.add_(1.0)
        adapted.lora_magnitude_vector.mul_(3.0)
    lengths = adapted.merged_weight().norm(dim=1)
    torch.testing.assert_close(lengths, 3.0 * linear.weight.norm(dim=1))
    states = torch.randn(4, 5)
    merged = states @ adapted.merged_weight().T + linear.bias
    torch.testing.assert_close(adapted(states), merged)


@pytest.mark.parametrize(
    ("init", "rank", "fits"),
    [
        ("pissa", 5, True),
        ("pissa", 6, False),
        ("olora", 6, False),
        ("eva", 7, True),
        ("eva", 8, False),
        ("default", 99, True),
    ],
)
def test_a_rank_that_a_start_does_not_have_is_refused(init: Any, rank: int, fits: bool) -> None:
    if fits:
        check_rank("a", rank, (7, 5), init)
        return
    with pytest.raises(AdapterError, match=f"{init} has rank"):
        check_rank("a", rank, (7, 5), init)


def test_main_directions_are_right_singular_vectors() -> None:
    states = torch.randn(50, 6) * torch.arange(1.0, 7.0)
    rows = main_directions(states.T @ states, 3)
    torch.testing.assert_close(rows @ rows.T, torch.eye(3), atol=1e-5, rtol=0)
    right = torch.linalg.svd(states, full_matrices=False)[2][:3]
    torch.testing.assert_close((rows * right).sum(1).abs(), torch.ones(3), atol=1e-4, rtol=0)
    assert rows.equal(main_directions(states.T @ states, 3))


def test_factors_are_two_matrices() -> None:
    assert Factors(WEIGHT, WEIGHT.T).down.shape == (7, 5)
