"""Adapters on linear maps and embedding tables."""

from __future__ import annotations

import torch

from ranklet.lora.linear import LoRAEmbedding, LoRALinear, lora_scaling, module_generator


def test_scaling() -> None:
    assert lora_scaling(4, 16, use_rslora=False) == 4
    assert lora_scaling(4, 16, use_rslora=True) == 8


def test_a_new_adapter_changes_nothing_and_its_start_is_its_own() -> None:
    linear, states = torch.nn.Linear(6, 3), torch.randn(5, 6)
    first = LoRALinear(linear, 2, 1.0, 0.0, module_generator(1, "a"))
    assert first(states).equal(linear(states))
    assert first.lora_A.weight.abs().max() <= 6**-0.5
    same = LoRALinear(linear, 2, 1.0, 0.0, module_generator(1, "a"))
    other = LoRALinear(linear, 2, 1.0, 0.0, module_generator(1, "b"))
    assert first.lora_A.weight.equal(same.lora_A.weight)
    assert not first.lora_A.weight.equal(other.lora_A.weight)
    table, ids = torch.nn.Embedding(7, 3), torch.tensor([0, 6, 6])
    assert LoRAEmbedding(table, 2, 1.0, module_generator(1, "t"))(ids).equal(table(ids))


def test_dropout_acts_in_training_only() -> None:
    adapted = LoRALinear(torch.nn.Linear(6, 3), 2, 1.0, 0.9, module_generator(1, "a"))
    torch.nn.init.ones_(adapted.lora_B.weight)
    states = torch.randn(50, 6)
    assert not adapted(states).equal(adapted(states))
    adapted.eval()
    assert adapted(states).equal(adapted(states))
