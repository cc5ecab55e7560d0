"""Heads: what each costs, how it starts, what trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ranklet.classifier import ClassifierNetwork, build_skeleton, head_shapes
from ranklet.encoder.config import KNOWN_ENCODERS, EncoderConfig
from ranklet.head import FrozenLinear, LowRankLinear, build_head, is_trained
from ranklet.recipe import Recipe
from ranklet.workflows.plan import plan

ROBERTA = KNOWN_ENCODERS["roberta-base"]
TINY = EncoderConfig("roberta", 30, 6, 2, 2, 8, 20, 1, 1e-5, 1)

# Encoder, head, rank, trained parameters of the head for 4 classes, by hand.
COSTS: list[tuple[str, str, int, int]] = [
    ("roberta-base", "dense", 8, 768 * 768 + 768 + 3_076),
    ("roberta-base", "frozen_dense", 8, 3_076),
    ("roberta-base", "low_rank", 8, 8 * (768 + 768) + 3_076),
    ("roberta-base", "low_rank", 1, 1_536 + 3_076),
    ("roberta-base", "linear", 8, 3_076),
    ("roberta-large", "frozen_dense", 8, 4_100),
    ("distilbert-base-uncased", "frozen_dense", 8, 3_076),
    ("distilbert-base-uncased", "low_rank", 4, 4 * 1_536 + 3_076),
    ("google/electra-small-discriminator", "frozen_dense", 8, 1_028),
    ("google/electra-small-discriminator", "low_rank", 2, 2 * 512 + 1_028),
    ("minilm", "dense", 8, 1_540),
    ("minilm", "linear", 8, 1_540),
    ("answerdotai/ModernBERT-base", "dense", 8, 3_076),
]


@pytest.mark.parametrize(("encoder", "head", "rank", "cost"), COSTS)
def test_a_head_costs_what_the_design_says(encoder: str, head: Any, rank: int, cost: int) -> None:
    target = "Wqkv" if "Modern" in encoder else "q_lin" if "distil" in encoder else "query"
    data: Any = {"train": "ag_news"}
    adapter: Any = {"target_modules": [target], "rank": 1}
    planned = plan(Recipe(encoder=encoder, head=head, head_rank=rank, data=data, adapter=adapter))
    assert sum(row.parameters for row in planned.rows if row.kind == "head") == cost
    shapes = head_shapes(build_skeleton(KNOWN_ENCODERS[encoder], head, "cls", 4, rank))
    assert sum(shape.parameters for shape in shapes.values()) == cost


def test_the_plan_names_what_trains_in_a_low_rank_head() -> None:
    shapes = head_shapes(build_skeleton(ROBERTA, "low_rank", "cls", 4, 8))
    assert {name: (s.in_features, s.out_features, s.bias) for name, s in shapes.items()} == {
        "classifier.dense.down": (768, 8, False),
        "classifier.dense.up": (8, 768, False),
        "classifier.out_proj": (768, 4, True),
    }


def head_of(kind: Any, **options: Any) -> Any:
    return build_head(kind, TINY, 3, 0.0, **({"seed": 1} | options))["classifier"]


def test_a_frozen_matrix_is_the_identity_or_drawn_from_the_seed() -> None:
    assert head_of("frozen_dense").dense.weight.equal(torch.eye(6))
    assert head_of("low_rank").dense.base_layer.weight.equal(torch.eye(6))
    drawn = head_of("frozen_dense", dense_init="random").dense.weight
    assert drawn.equal(head_of("frozen_dense", dense_init="random").dense.weight)
    assert not drawn.equal(head_of("frozen_dense", dense_init="random", seed=2).dense.weight)
    wide = build_head("frozen_dense", ROBERTA, 4, 0.0, seed=0, dense_init="random")
    lengths = (wide["classifier"].dense.weight @ torch.ones(768)).norm() / 768**0.5  # type: ignore[operator,union-attr]
    assert 0.9 < float(lengths) < 1.1


def test_a_low_rank_head_starts_as_its_frozen_one() -> None:
    states = torch.randn(5, 6)
    frozen, low_rank = head_of("frozen_dense"), head_of("low_rank", rank=2)
    assert low_rank.dense.down.weight.abs().sum() > 0
    assert low_rank(states).equal(frozen(states))
    assert frozen(states).equal(frozen.out_proj(states.tanh()))
    assert frozen.features(states).equal(states.tanh())


@pytest.mark.parametrize("kind", ["frozen_dense", "low_rank"])
def test_what_is_frozen_is_no_parameter_and_has_no_gradient(kind: Any) -> None:
    head = head_of(kind)
    names = {f"classifier.{name}" for name, _ in head.named_parameters()}
    everything = {f"classifier.{name}" for name in head.state_dict()}
    assert names == {name for name in everything if is_trained(kind, name)}
    frozen = next(m for m in head.modules() if isinstance(m, FrozenLinear))
    before = frozen.weight.clone()
    head(torch.randn(4, 6)).square().sum().backward()
    assert frozen.weight.grad is None
    optimizer = torch.optim.SGD(head.parameters(), lr=1.0)
    optimizer.step()
    assert frozen.weight.equal(before)
    if kind == "low_rank":
        product = next(m for m in head.modules() if isinstance(m, LowRankLinear))
        assert product.up.weight.abs().sum() > 0


def test_the_dense_head_starts_as_it_ever_did() -> None:
    """Equal seeds must go on giving equal runs: N(0, 0.02) in the order of the parameters."""
    head = head_of("dense")
    from ranklet.lora.linear import module_generator

    generator = module_generator(1, "classifier")
    assert head.dense.weight.equal(torch.empty(6, 6).normal_(std=0.02, generator=generator))
    assert head.out_proj.weight.equal(torch.empty(3, 6).normal_(std=0.02, generator=generator))


def test_a_skeleton_of_every_head_holds_no_numbers() -> None:
    for kind in ("dense", "frozen_dense", "low_rank", "linear"):
        skeleton = build_skeleton(ROBERTA, kind, "cls", 4)
        assert isinstance(skeleton, ClassifierNetwork)
        tensors = [*skeleton.parameters(), *skeleton.buffers()]
        assert {tensor.device.type for tensor in tensors} == {"meta"}
