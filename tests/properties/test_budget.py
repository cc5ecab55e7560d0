"""Planned == counted == saved, for recipes nobody thought of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ranklet.budget.certificate import certify
from ranklet.budget.plan import count_trainable, plan_parameters
from ranklet.classifier import (
    ClassifierNetwork,
    adaptable_shapes,
    build_skeleton,
    head_shapes,
    trainable_state,
)
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import build_encoder
from ranklet.head import build_head, head_pooling, needs_pooler
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import AdapterFile, as_plain_lora, read_adapter
from ranklet.lora.initial import plain_tensors
from ranklet.lora.placement import (
    module_shapes,
    norm_modules,
    place_adapters,
    resolve_placement,
    train_biases,
    train_modules,
)
from ranklet.saved.head import head_tensors, read_tensors, stored_modules, write_tensors

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


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_planned_is_what_trains_and_what_is_saved(data: Any) -> None:
    config = data.draw(configs())
    options = data.draw(placements(config))
    bias = data.draw(st.sampled_from(["none", "lora_only", "all"]))
    slim = ["frozen_dense", "low_rank"] if config.model_type not in ("bert", "modernbert") else []
    head = data.draw(st.sampled_from(["dense", "linear", *slim]))
    classes, rank = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 9))
    use_dora, use_rslora = data.draw(st.booleans()), data.draw(st.booleans())
    model = build_skeleton(config, head, "cls", classes, rank)
    model = model.to_empty(device="cpu").requires_grad_(False)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            torch.nn.init.normal_(tensor)
    shapes = adaptable_shapes(model)
    placed = resolve_placement(shapes, **options)
    if len(placed) > 1 and data.draw(st.booleans()):
        others = options | {"rank_pattern": {}}  # which might match nothing else
        placed = resolve_placement(shapes, **others, exclude_modules=(placed[0].module,))
    init = data.draw(st.sampled_from(["default", "pissa", "olora", "eva"]))
    if any(
        p.rank > min(shapes[p.module].in_features, shapes[p.module].out_features) for p in placed
    ):
        init = "default"
    norms = norm_modules(shapes, options["layers"]) if data.draw(st.booleans()) else ()
    plan = plan_parameters(
        module_shapes(model.encoder, model.prefix),
        head_shapes(model),
        placed,
        bias,
        10**9,
        use_dora,
        norms,
    )
    place_adapters(model, placed, 0.0, use_rslora, 0, use_dora, init)
    train_biases(model, bias, placed)
    train_modules(model, norms)
    for module in model.head_modules:
        model.get_submodule(module).requires_grad_(True)
    assert plan.total == count_trainable(model)
    planned_head = sum(row.parameters for row in plan.rows if row.kind == "head")
    size = config.hidden_size
    inner = {"low_rank": 2 * rank * size, "dense": size * (size + 1) if slim else 0}
    assert planned_head == classes * (size + 1) + inner.get(head, 0)
    state = trainable_state(model)
    adapter = AdapterFile(None, 8, 8.0, placed, use_rslora, bias, 0.0, state, use_dora, norms, init)
    plain, own = as_plain_lora(model, adapter), head_tensors(model, model.head_modules)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_tensors(folder, plain, own, head, model.pooling, config)
        saved = read_tensors(folder, head)
        read = read_adapter(folder, stored_modules(folder))
    start = plain_tensors(model, state)[1]
    certificate = certify(plan, count_trainable(model), saved.trained, {}, {}, start)
    assert certificate["saved"] == plan.total
    assert set(read.modules_to_save) == set(norms)


NAMES = LabelSet(("a", "b", "c"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_planned_is_what_is_saved(data: Any) -> None:
    """Through real files, for every head; what is saved besides is stated to the number."""
    config = data.draw(configs())
    slim = ["frozen_dense", "low_rank"] if config.model_type not in ("bert", "modernbert") else []
    head = data.draw(st.sampled_from(["dense", "linear", *slim]))
    pooling = data.draw(st.sampled_from(["cls", "mean"])) if head == "linear" else "cls"
    bias = data.draw(st.sampled_from(["none", "lora_only", "all"]))
    rank, options = data.draw(st.integers(1, 9)), data.draw(placements(config))
    shapes = build_skeleton(config, head, pooling, 3, rank)
    placed = resolve_placement(adaptable_shapes(shapes), **options)
    plan = plan_parameters(
        module_shapes(shapes.encoder, shapes.prefix), head_shapes(shapes), placed, bias, 10**9
    )
    encoder = build_encoder(config, needs_pooler(head, config)).requires_grad_(False)
    modules = build_head(head, config, 3, 0.0, seed=0, rank=rank)
    model = ClassifierNetwork(encoder, modules, head_pooling(head, pooling, config), NAMES)
    place_adapters(model, placed, 0.0, False, seed=0)
    train_biases(model, bias, placed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        adapter = AdapterFile("encoder", options["rank"], 8.0, placed, False, bias, 0.0, {})
        own = head_tensors(model, model.head_modules)
        trained = replace(adapter, tensors=trainable_state(model))
        write_tensors(folder, trained, own, head, model.pooling, config)
        saved = read_tensors(folder, head)
    certificate = certify(plan, count_trainable(model), saved.trained, {}, {"frozen": saved.frozen})
    assert certificate["saved"] == plan.total
    inner = config.hidden_size * (config.hidden_size + 1)
    frozen = certificate["saved_but_not_trained"]["frozen"]
    assert frozen == (inner if head in ("frozen_dense", "low_rank") else 0)
