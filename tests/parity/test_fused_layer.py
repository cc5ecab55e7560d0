"""The fused layer against the plain modules it stands for: states and every gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.attention.varlen
from test_encoder import pack, random_texts
from tiny_models import save, transformers_encoder
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork, adaptable_shapes
from ranklet.encoder import packed_linear
from ranklet.encoder.bert import Layer
from ranklet.encoder.config import read_config
from ranklet.encoder.fused import attention as fused_attention
from ranklet.encoder.fused import layer as fused_layer
from ranklet.encoder.fused import linear_maps as low_rank
from ranklet.encoder.packing import PaddedLayout
from ranklet.encoder.weights import load_encoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.merge import merge_adapters
from ranklet.lora.placement import place_adapters, resolve_placement, train_biases
from ranklet.vocabulary import Products

TARGETS: dict[str, str | list[str]] = {
    "all": "all-linear",
    "query and value": ["query", "value"],
    "key alone": ["key"],
    "feed-forward": ["intermediate.dense", "output.dense"],
}
LENGTHS = {
    "short, padded": [5, 17, 3, 9],
    "short, equal": [8, 8, 8],
    "long": [66, 40, 7],
    "one token": [1],
}


@pytest.fixture(scope="module", params=["bert", "roberta", "electra"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers_encoder(request.param), tmp_path_factory.mktemp(request.param))


def build(
    folder: Path,
    targets: str | Sequence[str],
    dtype: torch.dtype = torch.float32,
    layers: Sequence[int] | None = None,
    dropout: float = 0.0,
    products: Products = "float",
) -> ClassifierNetwork:
    """A classifier whose adapters all do something: B is random too."""
    config = read_config(folder)
    encoder = load_encoder(folder, config, dtype, products=products)
    head = build_head("linear", config, 3, 0.0, seed=1)
    model = ClassifierNetwork(encoder, head, "mean", LabelSet(("a", "b", "c")))
    shapes = adaptable_shapes(model)
    uneven = {"layer.1.attention.self.value": 6} if "value" in targets else {}
    placements = resolve_placement(shapes, targets, 4, 8.0, layers, rank_pattern=uneven)
    place_adapters(model, placements, dropout, False, 5)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2, generator=generator)
    return model


def batch(lengths: Sequence[int]) -> Batch:
    return pack(random_texts(lengths, 120))


def outcome(model: ClassifierNetwork, texts: Batch, fused: bool) -> dict[str, Tensor]:
    """States, logits and the gradient of every trained tensor; states weigh each token."""
    model.encoder.fused = fused
    model.zero_grad()
    states = model.encoder(texts)
    weights = torch.linspace(-1, 1, states.numel()).view_as(states)
    loss = (states.float() * weights).sum()
    loss.backward()
    gradients = {
        name: parameter.grad
        for name, parameter in model.encoder.named_parameters()
        if parameter.grad is not None
    }
    return {"states": states.detach(), **gradients}


def largest_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Largest difference of any tensor, relative to its largest number (but at least 1)."""
    assert ours.keys() == theirs.keys()
    return max(
        float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max().clamp_min(1))
        for name in ours
    )


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS.keys())
def test_states_and_gradients_equal_the_plain_layers(
    folder: Path, targets: str | list[str], lengths: list[int]
) -> None:
    model = build(folder, targets)
    assert all(layer.maps() is not None for layer in model.encoder.layers)
    texts = batch(lengths)
    assert largest_difference(outcome(model, texts, True), outcome(model, texts, False)) <= 1e-5


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_distilbert_is_fused_too(tmp_path: Path, lengths: list[int]) -> None:
    model = build(save(transformers_encoder("distilbert"), tmp_path), "all-linear")
    assert all(layer.maps() is not None for layer in model.encoder.layers)
    texts = batch(lengths)
    assert largest_difference(outcome(model, texts, True), outcome(model, texts, False)) <= 1e-5


def _packed_attention(query: Tensor, key: Tensor, value: Tensor, starts: Tensor, *_: Any) -> Tensor:
    """What PyTorch's packed kernel computes, text by text; it runs on GPUs only."""
    texts = [
        torch.nn.functional.scaled_dot_product_attention(
            *(part[first:end].transpose(0, 1)[None] for part in (query, key, value))
        )[0].transpose(0, 1)
        for first, end in pairwise(starts.tolist())
    ]
    return torch.cat(texts)


@pytest.mark.parametrize("lengths", [[5, 17, 3], [8, 8], [66, 7]])
def test_packed_attention_as_far_as_a_cpu_can_tell(
    folder: Path, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, texts = build(folder, "all-linear"), batch(lengths)
    plain = outcome(model, texts, False)
    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", _packed_attention)
    monkeypatch.setattr(fused_layer, "attend", fused_attention._attend_packed)
    assert largest_difference(outcome(model, texts, True), plain) <= 1e-5


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("lengths", [[5, 17, 3], [66, 7]])
def test_activation_checkpointing_gives_the_same_bits(
    folder: Path, lengths: list[int], fused: bool
) -> None:
    model, texts = build(folder, "all-linear"), batch(lengths)
    kept = outcome(model, texts, fused)
    model.encoder.activation_checkpointing = True
    again = outcome(model, texts, fused)
    assert all(torch.equal(again[name], kept[name]) for name in kept)


def noise_to_signal(ours: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Norm of the difference of all tensors relative to the norm of the exact ones."""
    noise = sum(float((ours[name].float() - exact[name]).square().sum()) for name in exact)
    return float((noise / sum(float(exact[name].square().sum()) for name in exact)) ** 0.5)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_bfloat16_is_as_near_to_float32_as_the_plain_layers(
    folder: Path, lengths: list[int]
) -> None:
    """Tolerance: 1.5 times the noise that bfloat16 gives the plain layers, which is below 5 %."""
    texts = batch(lengths)
    exact = outcome(build(folder, "all-linear"), texts, False)
    half = build(folder, "all-linear", torch.bfloat16)
    plain = noise_to_signal(outcome(half, texts, False), exact)
    fused = noise_to_signal(outcome(half, texts, True), exact)
    assert plain < 0.05
    assert fused <= 1.5 * plain


def _lost_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    right = low_rank.input_gradient

    def wrong(gradient: Tensor, inside: Any, mapping: Any, residual: Any = None) -> Tensor:
        return right(gradient, inside, mapping)

    monkeypatch.setattr(fused_layer, "input_gradient", wrong)


def _forgotten_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    right = low_rank.map_gradients

    def wrong(*arguments: Any) -> Any:
        gradients, inside = right(*arguments)
        return [gradient / 2 for gradient in gradients], inside

    monkeypatch.setattr(fused_layer, "map_gradients", wrong)


def _leaking_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaddedLayout, "key_bias", lambda self, dtype: None)


def _wrong_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Layer.maps

    def wrong(self: Layer) -> Any:
        self.intermediate.activation_gradient = fused_layer.ACTIVATION_GRADIENTS["relu"]
        return right(self)

    monkeypatch.setattr(Layer, "maps", wrong)


def _unscaled_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        context, right = fused_attention.attend(*arguments)

        def gradient_of(gradient: Tensor) -> Tensor:
            projections = right(gradient)
            return torch.cat([projections[:, :48] * 2, projections[:, 48:]], dim=1)

        return context, gradient_of

    monkeypatch.setattr(fused_layer, "attend", wrong)


@pytest.mark.parametrize(
    "sabotage",
    [_lost_residual, _forgotten_scaling, _leaking_padding, _wrong_activation, _unscaled_scores],
)
def test_a_sabotaged_layer_is_noticed(
    folder: Path,
    sabotage: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(folder, "all-linear")
    texts = batch([5, 17, 3, 9])
    plain = outcome(model, texts, False)
    sabotage(monkeypatch)
    assert largest_difference(outcome(model, texts, True), plain) > 1e-3


def test_no_gradient_goes_below_the_lowest_adapter(folder: Path) -> None:
    model = build(folder, "all-linear", layers=[2])
    model.encoder.fused = True
    entering = model.encoder.states_entering(2, batch([5, 9]))
    assert not entering.requires_grad
    assert model.encoder(batch([5, 9])).requires_grad


@pytest.mark.parametrize("reason", ["dropout", "bias"])
def test_what_the_fused_layer_cannot_do_runs_plainly(folder: Path, reason: str) -> None:
    model = build(folder, "all-linear", dropout=0.5 if reason == "dropout" else 0.0)
    if reason == "bias":
        train_biases(model, "all", [])
    model.train()
    assert [layer.maps() for layer in model.encoder.layers] == [None] * 3


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_layer_with_a_norm_of_which_a_part_trains_runs_plainly(folder: Path, part: str) -> None:
    model = build(folder, "all-linear")
    norms = [each for each in model.encoder.layers[1].modules() if isinstance(each, nn.LayerNorm)]
    getattr(norms[-1], part).requires_grad_(True)
    assert [layer.maps() is None for layer in model.encoder.layers] == [False, True, False]


def test_weights_that_moved_are_not_used_in_their_old_place(folder: Path) -> None:
    model = build(folder, ["query"])
    query = model.encoder.layers[0].attention.self.query.base_layer
    query.weight.data = query.weight.data.clone()
    assert model.encoder.layers[0].maps() is None
    model.encoder.join_projections()
    assert model.encoder.layers[0].maps() is not None


@pytest.mark.parametrize("targets", [*TARGETS.values(), ["word_embeddings", "query"]])
def test_merged_adapters_answer_alike(folder: Path, targets: str | list[str]) -> None:
    model, texts = build(folder, targets).eval(), batch([5, 17, 3])
    if "word_embeddings" in targets:
        torch.nn.init.normal_(model.encoder.embeddings.word_embeddings.lora_embedding_A, std=0.1)
    with torch.inference_mode():
        before = model(texts)
        assert merge_adapters(model) > 0
        merged = model(texts)
    assert not any("lora" in name for name, _ in model.named_modules())
    assert all(layer.maps() is not None for layer in model.encoder.layers)
    assert float((merged - before).abs().max()) <= 1e-5 * float(before.abs().max())


@pytest.mark.parametrize("packed_up_to", [0, 256], ids=["as they lie", "packed"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_packed_weights_answer_alike(
    folder: Path, lengths: list[int], packed_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_linear, "faster_up_to", lambda *question: packed_up_to)
    model, texts = build(folder, "all-linear").eval(), batch(lengths)
    with torch.inference_mode():
        merge_adapters(model)
        model.encoder.fused = False
        before = model(texts)
        assert packed_linear.pack_linear_maps(model.encoder.layers) == 6 * len(model.encoder.layers)
        packed = model(texts)
    assert float((packed - before).abs().max()) <= 1e-5 * float(before.abs().max())


def test_another_packed_weight_is_noticed(folder: Path) -> None:
    model, texts = build(folder, ["query"]).eval(), batch([5, 17])
    with torch.inference_mode():
        merge_adapters(model)
        model.encoder.fused = False
        before = model(texts)
        packed_linear.pack_linear_maps(model.encoder.layers)
        dense = model.encoder.layers[0].intermediate.dense
        dense.packed = packed_linear.PackedLinear(
            nn.Linear(dense.linear.in_features, dense.linear.out_features)
        ).packed
        packed = model(texts)
    assert float((packed - before).abs().max()) > 1e-5 * float(before.abs().max())
