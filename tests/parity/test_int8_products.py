"""Layers that multiply in integers: fused against plain, and against the layers in float."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_fused_layer as fused_layer
import torch
from test_encoder import pack, random_texts
from test_fused_layer import outcome
from tiny_models import save, transformers_encoder
from torch import Tensor

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork
from ranklet.encoder.config import read_config
from ranklet.encoder.fused.layer import input_sizes
from ranklet.encoder.int8 import rows as int8_rows
from ranklet.encoder.int8.linear import Int8Linear, multiplies_in_int8
from ranklet.encoder.int8.weight import Int8Rows
from ranklet.encoder.weights import load_encoder
from ranklet.errors import WeightsError
from ranklet.lora.merge import merge_adapters
from ranklet.vocabulary import Products

# A number next to the border of two codes may fall to either side by a last bit.
ONE_CODE = 0.02


@pytest.fixture(scope="module", params=["bert", "roberta", "distilbert", "modernbert"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers_encoder(request.param), tmp_path_factory.mktemp(request.param))


def build(
    folder: Path, products: Products, dtype: torch.dtype = torch.float32
) -> ClassifierNetwork:
    return fused_layer.build(folder, "all-linear", dtype, products=products)


def texts() -> Batch:
    return pack(random_texts([5, 17, 3, 9], 120))


def farthest(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Largest distance of a tensor from its twin, relative to its length."""
    assert ours.keys() == theirs.keys()
    return max(
        float((ours[name].double() - theirs[name].double()).norm() / theirs[name].double().norm())
        for name in ours
        if theirs[name].double().norm() > 0
    )


def test_the_norms_before_maps_say_how_large_their_inputs_are(tmp_path: Path) -> None:
    for family, readers in (("bert", 4), ("distilbert", 4), ("modernbert", 0)):
        encoder = load_encoder(
            path := save(transformers_encoder(family), tmp_path / family),
            read_config(path),
            torch.float32,
        )
        sizes = input_sizes(encoder.layers)
        # Queries, keys and values of all layers but the first, and the feed-forward network of all.
        expected = readers * len(encoder.layers) - 3 if readers else 0
        assert len(sizes) == expected
        for module, size in sizes.items():
            assert size.shape == (module.in_features,)
            assert (size > 0).all()


def test_fused_layers_equal_plain_ones(folder: Path) -> None:
    model = build(folder, "int8")
    assert multiplies_in_int8(model.encoder)
    batch = texts()
    assert farthest(outcome(model, batch, True), outcome(model, batch, False)) <= ONE_CODE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_states_and_gradients_are_nearly_those_in_float(folder: Path, dtype: torch.dtype) -> None:
    batch = texts()
    ours, theirs = (outcome(build(folder, kind, dtype), batch, True) for kind in ("int8", "float"))
    assert 1e-4 < farthest(ours, theirs) < 0.35


def test_a_gradient_with_the_scales_of_the_other_way_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = build(folder, "int8"), texts()
    right = outcome(model, batch, True)

    def unscaled(rows: Int8Rows, gradient: Tensor, residual: Tensor | None) -> Tensor:
        product = 1.5 * gradient @ rows.dense().to(gradient.dtype)
        return product if residual is None else product + residual

    monkeypatch.setattr(Int8Rows, "input_gradient", unscaled)
    assert farthest(outcome(model, batch, True), right) > 0.35


def test_without_a_compiler_the_bits_are_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = build(folder, "int8", torch.bfloat16), texts()
    before = outcome(model, batch, True)
    monkeypatch.setattr(int8_rows, "compiled_rows", lambda: None)
    after = outcome(model, batch, True)
    assert all(before[name].equal(after[name]) for name in before)


def test_merged_into_dense_weights_it_is_nearly_the_same(folder: Path) -> None:
    model, batch = build(folder, "int8"), texts()
    with torch.no_grad():
        before = model(batch)
        merge_adapters(model)
        assert not any(isinstance(module, Int8Linear) for module in model.modules())
        assert (model(batch) - before).norm() <= 0.05 * before.norm()


def test_families_of_transformers_are_refused(tmp_path: Path) -> None:
    folder = save(transformers_encoder("deberta-v2"), tmp_path)
    with pytest.raises(WeightsError, match=r"products in int8 need .* set engine.products=float"):
        load_encoder(folder, read_config(folder), torch.float32, products="int8")


def test_layers_are_described_once_and_answer_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = build(folder, "int8"), texts()
    with torch.no_grad():
        before = model(batch)
        model.encoder.fix_maps()
        for layer in model.encoder.layers:
            monkeypatch.setattr(type(layer), "maps", None, raising=False)
        assert model(batch).equal(before)
