"""Planned == counted == saved, for recipes nobody thought of."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ranklet.budget.plan import count_trainable, plan_parameters
from ranklet.classifier import adaptable_shapes, build_skeleton, head_shapes
from ranklet.encoder.config import EncoderConfig
from ranklet.lora.placement import module_shapes, place_adapters, resolve_placement, train_biases

BERT_LINEAR = (
    "query",
    "key",
    "value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
LINEAR = {
    "distilbert": ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"),
    "modernbert": ("Wqkv", "attn.Wo", "Wi", "mlp.Wo"),
}
EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings")
TABLES = {"distilbert": EMBEDDINGS[:2], "modernbert": ("tok_embeddings",)}
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert")


@st.composite
def configs(draw: Any) -> EncoderConfig:
    heads = draw(st.integers(1, 4))
    return EncoderConfig(
        model_type=draw(st.sampled_from(FAMILIES)),
        vocab_size=draw(st.integers(5, 99)),
        hidden_size=heads * draw(st.integers(1, 9)),
        num_hidden_layers=draw(st.integers(1, 5)),
        num_attention_heads=heads,
        intermediate_size=draw(st.integers(1, 50)),
        max_position_embeddings=draw(st.integers(8, 70)),
        type_vocab_size=draw(st.integers(1, 3)),
        layer_norm_eps=1e-5,
        pad_token_id=draw(st.integers(0, 3)),
        embedding_size=draw(st.sampled_from([None, 7])),
        local_attention=2,
    )


@st.composite
def placements(draw: Any, config: EncoderConfig) -> dict[str, Any]:
    names = LINEAR.get(config.model_type, BERT_LINEAR)
    linear = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    layers = draw(
        st.none() | st.lists(st.integers(0, config.num_hidden_layers - 1), min_size=1, unique=True)
    )
    present = TABLES.get(config.model_type, EMBEDDINGS)
    tables = draw(st.lists(st.sampled_from(present), unique=True)) if layers is None else []
    pattern = {linear[0]: draw(st.integers(1, 20))} if linear[0] != "output.dense" else {}
    return {
        "target_modules": draw(st.sampled_from(["all-linear", (*linear, *tables)])),
        "rank": draw(st.integers(1, 12)),
        "alpha": 8.0,
        "layers": layers,
        "rank_pattern": pattern,
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_planned_is_what_trains(data: Any) -> None:
    config = data.draw(configs())
    options = data.draw(placements(config))
    bias = data.draw(st.sampled_from(["none", "lora_only", "all"]))
    head = data.draw(st.sampled_from(["dense", "linear"]))
    classes = data.draw(st.integers(2, 7))
    model = build_skeleton(config, head, "cls", classes)
    model.encoder.requires_grad_(False)
    placed = resolve_placement(adaptable_shapes(model), **options)
    plan = plan_parameters(
        module_shapes(model.encoder, model.prefix), head_shapes(model), placed, bias, 10**9
    )
    place_adapters(model, placed, 0.0, False, seed=0)
    train_biases(model, bias, placed)
    assert plan.total == count_trainable(model)
