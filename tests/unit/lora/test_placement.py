"""Which modules get an adapter, and what a wrong placement is told."""

from __future__ import annotations

from typing import Any

import pytest

from ranklet.classifier import adaptable_shapes, build_skeleton
from ranklet.encoder.config import KNOWN_ENCODERS
from ranklet.errors import AdapterError
from ranklet.lora.placement import resolve_placement

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


def test_the_head_is_never_adapted_and_the_pooler_only_by_name() -> None:
    bert = adaptable_shapes(build_skeleton(KNOWN_ENCODERS["minilm"], "dense", "cls", 4))
    unread = adaptable_shapes(build_skeleton(KNOWN_ENCODERS["minilm"], "linear", "cls", 4))
    for shapes in (SHAPES, bert, unread):
        assert not [name for name in shapes if "classifier" in name]
    assert "bert.pooler.dense" in bert
    assert "bert.pooler.dense" not in unread
    assert len(resolve_placement(bert, "all-linear", 4, 8.0)) == 36
    assert len(resolve_placement(bert, ("pooler.dense",), 4, 8.0)) == 1
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
    ("layers", "count"),
    [("0-5", 6), ("8-", 4), ((0, "3-4", 11), 4), (("0-2", "1-3"), 4), ("11-11", 1)],
)
def test_ranges_of_layers(layers: Any, count: int) -> None:
    assert len(resolve(("query",), layers=layers)) == count


def test_exclusions_and_patterns_by_layer() -> None:
    placed = resolve(
        ("query", "value"),
        exclude_modules=("layer.0-2", "layer.11.attention.self.value"),
        rank_pattern={"layer.3-5": 2, "layer.10-": 9},
        alpha_pattern={"layer.4-5.attention.self.query": 1.0},
    )
    assert len(placed) == 17
    assert placed[f"{LAYER}.3.attention.self.query"] == (2, 8.0)
    assert placed[f"{LAYER}.5.attention.self.query"] == (2, 1.0)
    assert placed[f"{LAYER}.6.attention.self.query"] == (4, 8.0)
    assert placed[f"{LAYER}.11.attention.self.query"] == (9, 8.0)


@pytest.mark.parametrize(
    ("target_modules", "options", "message"),
    [
        (("query",), {"layers": "3-12"}, "layer 12 holds no targeted module; allowed: 0 to 11"),
        (("query",), {"layers": ("12-",)}, "layer 12 holds no targeted module"),
        (("query",), {"exclude_modules": ("key",)}, "'key' matches no targeted module"),
        (("query",), {"exclude_modules": ("query",)}, "nothing is left to adapt"),
        (("query",), {"rank_pattern": {"layer.12-": 2}}, "'layer.12-' matches no adapted module"),
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
