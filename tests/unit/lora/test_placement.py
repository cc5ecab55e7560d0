"""Which modules get an adapter, and what a wrong placement is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ranklet.classifier import adaptable_shapes, build_skeleton
from ranklet.encoder.config import KNOWN_ENCODERS
from ranklet.errors import AdapterError
from ranklet.lora.linear import LoRAEmbedding, LoRALinear, lora_scaling, module_generator
from ranklet.lora.placement import matches, resolve_placement

SHAPES = adaptable_shapes(build_skeleton(KNOWN_ENCODERS["roberta-base"], "dense", "cls", 4))
LAYER = "roberta.encoder.layer"


def resolve(target_modules: Any, **options: Any) -> dict[str, tuple[int, float]]:
    placed = resolve_placement(SHAPES, target_modules, 4, 8.0, **options)
    return {placement.module: (placement.rank, placement.alpha) for placement in placed}


def test_suffixes_full_names_and_all_linear() -> None:
    assert len(resolve(("query", "value"))) == 24
    assert len(resolve(("output.dense",))) == 24
    assert len(resolve(("attention.output.dense",))) == 12
    full = f"{LAYER}.3.attention.self.key"
    assert resolve((full,)) == {full: (4, 8.0)}
    assert len(resolve("all-linear")) == 72


def test_the_head_and_the_pooler_are_never_adapted() -> None:
    bert = adaptable_shapes(build_skeleton(KNOWN_ENCODERS["minilm"], "dense", "cls", 4))
    for shapes in (SHAPES, bert):
        assert not [name for name in shapes if "classifier" in name or "pooler" in name]
    assert len(resolve(("dense",))) == 36


def test_layers_and_patterns() -> None:
    placed = resolve(
        ("query", "value"),
        layers=(0, 11),
        rank_pattern={"layer.11.attention.self.query": 9},
        alpha_pattern={"value": 1.5},
    )
    assert placed == {
        f"{LAYER}.0.attention.self.query": (4, 8.0),
        f"{LAYER}.0.attention.self.value": (4, 1.5),
        f"{LAYER}.11.attention.self.query": (9, 8.0),
        f"{LAYER}.11.attention.self.value": (4, 1.5),
    }


@pytest.mark.parametrize(
    ("target_modules", "options", "message"),
    [
        (("qurey",), {}, r"'qurey' matches no module; did you mean .*query"),
        (("lin",), {}, "matches no module; "),
        (("uery",), {}, "'uery' matches no module"),
        (("LayerNorm",), {}, "matches no module"),
        (("classifier.dense",), {}, "'classifier.dense' matches no module"),
        (("query",), {"layers": (12,)}, "layer 12 holds no targeted module; allowed: 0 to 11"),
        (("word_embeddings",), {"layers": (0,)}, "none: no target is in a layer"),
        (("query",), {"rank_pattern": {"value": 2}}, "'value' matches no adapted module"),
        (("query",), {"alpha_pattern": {"keyy": 2.0}}, "'keyy' matches no adapted module"),
        (
            ("query",),
            {"rank_pattern": {"query": 2, "layer.0.attention.self.query": 3}},
            "'query' and 'layer.0.attention.self.query' both match",
        ),
    ],
)
def test_a_wrong_placement_is_one_clear_line(
    target_modules: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AdapterError, match=message) as caught:
        resolve(target_modules, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "exist"),
    [
        ("distilbert-base-uncased", ("q_lin", "v_lin", "lin1")),
        ("answerdotai/ModernBERT-base", ("Wqkv", "Wo", "Wi")),
    ],
)
def test_berts_names_in_another_family_are_answered_with_what_exists(
    encoder: str, exist: tuple[str, ...]
) -> None:
    shapes = adaptable_shapes(build_skeleton(KNOWN_ENCODERS[encoder], "linear", "cls", 4))
    with pytest.raises(AdapterError, match="'query' matches no module; ") as caught:
        resolve_placement(shapes, ("query", "value"), 4, 8.0)
    assert all(name in str(caught.value) for name in exist)


def test_a_suffix_matches_whole_words_only() -> None:
    assert matches("a.b.query", "query")
    assert matches("a.b.query", "b.query")
    assert matches("query", "query")
    assert not matches("a.subquery", "query")


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
