"""shrink: the best approximation, under the budget, nothing lost where nothing is cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.linear import lora_scaling
from ranklet.lora.placement import Placement
from ranklet.lora.shrink import (
    choose_ranks,
    indispensable,
    kept_energy,
    smallest_cost,
    spectra,
    truncate_adapter,
)
from ranklet.vocabulary import Bias

SIZES = {"one.query": (12, 10), "one.dense": (20, 8), "words": (50, 8)}


def adapter(rank: int = 4, use_rslora: bool = False, bias: Bias = "none") -> AdapterFile:
    """A random adapter on two linear maps and a table, of different scales, ranks and alphas."""
    generator = torch.Generator().manual_seed(7)
    placements, tensors = [], {}
    for order, (module, (inputs, outputs)) in enumerate(SIZES.items()):
        own = rank + order
        names = (
            ("lora_embedding_A", "lora_embedding_B")
            if module == "words"
            else ("lora_A.weight", "lora_B.weight")
        )
        scale = 10.0**-order
        tensors[f"{module}.{names[0]}"] = torch.randn(own, inputs, generator=generator) * scale
        tensors[f"{module}.{names[1]}"] = torch.randn(outputs, own, generator=generator)
        placements.append(Placement(module, own, 3.0 + order))
    tensors["classifier.weight"] = torch.randn(3, 8, generator=generator)
    return AdapterFile(None, rank, 3.0, tuple(placements), use_rslora, bias, 0.0, tensors)


def update(of: AdapterFile, module: str) -> torch.Tensor:
    """What an adapter adds to a weight, (out_features, in_features)."""
    placement = next(each for each in of.placements if each.module == module)
    down, up = (
        next(t for name, t in of.tensors.items() if name.startswith(module) and part in name)
        for part in ("_A", "_B")
    )
    return lora_scaling(placement.rank, placement.alpha, of.use_rslora) * (up @ down)


def best_approximation(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    return ((left[:, :rank] * values[:rank]) @ right[:rank]).float()


@pytest.mark.parametrize("use_rslora", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_the_truncated_update_is_the_best_of_its_rank(rank: int, use_rslora: bool) -> None:
    trained = adapter(use_rslora=use_rslora)
    cut = truncate_adapter(trained, spectra(trained), dict.fromkeys(SIZES, rank))
    for module in SIZES:
        expected = best_approximation(update(trained, module), rank)
        assert torch.allclose(update(cut, module), expected, atol=1e-5)


def test_a_truncation_that_kept_the_old_scaling_would_be_noticed() -> None:
    trained = adapter()
    cut = truncate_adapter(trained, spectra(trained), dict.fromkeys(SIZES, 2))
    placements = tuple(Placement(p.module, p.rank, 3.0) for p in cut.placements)
    wrong = AdapterFile(None, 2, 3.0, placements, False, "none", 0.0, cut.tensors)
    expected = best_approximation(update(trained, "one.query"), 2)
    assert not torch.allclose(update(wrong, "one.query"), expected, atol=1e-2)


def test_all_ranks_lose_nothing_and_the_head_stays() -> None:
    trained = adapter()
    parts = spectra(trained)
    ranks = {placement.module: placement.rank for placement in trained.placements}
    cut = truncate_adapter(trained, parts, ranks)
    assert {m: part.values.numel() for m, part in parts.items()} == ranks
    for module in SIZES:
        assert torch.allclose(update(cut, module), update(trained, module), atol=1e-5)
    assert cut.tensors["classifier.weight"] is trained.tensors["classifier.weight"]
    assert kept_energy(parts, ranks) == pytest.approx(1.0)
    assert {name: t.shape for name, t in cut.tensors.items()} == {
        name: t.shape for name, t in trained.tensors.items()
    }


def test_modules_without_a_rank_drop_out() -> None:
    trained = adapter()
    cut = truncate_adapter(trained, spectra(trained), {"one.dense": 1})
    assert [each.module for each in cut.placements] == ["one.dense"]
    assert set(cut.tensors) == {
        "one.dense.lora_A.weight",
        "one.dense.lora_B.weight",
        "classifier.weight",
    }


def test_a_module_whose_bias_trains_with_it_keeps_rank_1() -> None:
    trained = adapter(bias="lora_only")
    tensors = {**trained.tensors, "one.dense.bias": torch.zeros(8)}
    held = AdapterFile(None, 4, 3.0, trained.placements, False, "lora_only", 0.0, tensors)
    assert indispensable(held) == {"one.dense"}
    everything = AdapterFile(None, 4, 3.0, trained.placements, False, "all", 0.0, tensors)
    assert indispensable(everything) == set()
    assert indispensable(trained) == set()


def test_a_large_value_in_a_dear_matrix_yields_to_cheaper_ones() -> None:
    values = {"dear": torch.tensor([3.0, 0.1]), "cheap": torch.tensor([2.0, 1.0])}
    costs = {"dear": 100, "cheap": 10}
    assert choose_ranks(values, costs, 120, ()) == {"dear": 1, "cheap": 2}
    assert choose_ranks(values, costs, 30, ()) == {"cheap": 2}
    assert choose_ranks(values, costs, 100, {"dear"}) == {"dear": 1}
    assert smallest_cost(costs, ()) == 10
    assert smallest_cost(costs, {"dear"}) == 100


@st.composite
def spectra_to_cut(draw: Any) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    number = draw(st.integers(1, 6))
    values, costs = {}, {}
    for index in range(number):
        found = draw(st.lists(st.floats(0, 100), min_size=1, max_size=6))
        values[str(index)] = torch.tensor(sorted(found, reverse=True), dtype=torch.float64)
        costs[str(index)] = draw(st.integers(1, 50))
    return values, costs


@settings(max_examples=100, deadline=None)
@given(spectra_to_cut(), st.data())
def test_any_budget_holds_and_nothing_that_fits_is_left_out(case: Any, data: Any) -> None:
    values, costs = case
    needed = set(data.draw(st.lists(st.sampled_from(sorted(values)), unique=True)))
    smallest = smallest_cost(costs, needed)
    whole = sum(costs[module] * len(found) for module, found in values.items())
    budget = data.draw(st.integers(smallest, max(smallest, whole) + 5))
    ranks = choose_ranks(values, costs, budget, needed)
    used = sum(costs[module] * rank for module, rank in ranks.items())
    assert used <= budget
    assert ranks
    assert needed <= ranks.keys()
    for module, found in values.items():
        rank = ranks.get(module, 0)
        assert rank == len(found) or costs[module] > budget - used
    assert ranks == choose_ranks(values, costs, budget, needed)
    if budget >= whole:
        assert ranks == {module: len(found) for module, found in values.items()}


def test_values_are_kept_by_their_energy_for_each_parameter() -> None:
    # 9 for 100 parameters are less than 4 and 1 for 10 each, though the largest value would fit.
    values = {"dear": torch.tensor([3.0]), "cheap": torch.tensor([2.0, 1.0])}
    assert choose_ranks(values, {"dear": 100, "cheap": 10}, 100, ()) == {"cheap": 2}
    assert choose_ranks(values, {"dear": 80, "cheap": 10}, 100, ()) == {"dear": 1, "cheap": 2}
