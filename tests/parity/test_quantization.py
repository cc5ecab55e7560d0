"""Quantized encoders: their levels by hand and by bitsandbytes, their arithmetic by dense twins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_encoder import pack, random_texts
from tiny_models import save, transformers_encoder
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork, adaptable_shapes
from ranklet.encoder import quantization
from ranklet.encoder.config import read_config
from ranklet.encoder.fused import linear_maps as low_rank
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.quantization import (
    NF4_LEVELS,
    QuantizedLinear,
    QuantizedWeight,
    from_nf4_by_bitsandbytes,
    frozen_bytes,
    make_dense,
)
from ranklet.encoder.weights import load_encoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.merge import merge_adapters
from ranklet.lora.placement import place_adapters, resolve_placement, train_biases
from ranklet.vocabulary import Quantization

# deberta-v2 stands for all that transformers computes.
FAMILIES = ("bert", "roberta", "electra", "distilbert", "modernbert", "deberta-v2")
FORMATS: tuple[Quantization, ...] = ("int8", "nf4")
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers_encoder(request.param), tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=FORMATS)
def kept(request: pytest.FixtureRequest) -> Quantization:
    return request.param


def build(folder: Path, kept: Quantization, *, bias: str = "none") -> ClassifierNetwork:
    """A classifier with adapters that do something on every kind of linear map."""
    config = read_config(folder)
    encoder = load_encoder(folder, config, torch.float32, quantization=kept)
    head = build_head("linear", config, 3, 0.0, seed=1)
    model = ClassifierNetwork(encoder, head, "mean", LabelSet(("a", "b", "c")))
    placements = resolve_placement(adaptable_shapes(model), "all-linear", 2, 4.0)
    place_adapters(model, placements, 0.0, False, 5)
    train_biases(model, bias, placements)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2, generator=generator)
    return model.eval()


def dense_twin(folder: Path, kept: Quantization, *, bias: str = "none") -> ClassifierNetwork:
    """The same numbers in ordinary modules, computed one map after another."""
    model = build(folder, kept, bias=bias)
    make_dense(model)
    if isinstance(model.encoder, NativeEncoder):
        model.encoder.fused = False
    return model


def texts() -> Batch:
    return pack(random_texts([5, 17, 3, 9], 120))


def outcome(model: ClassifierNetwork) -> dict[str, Tensor]:
    model.zero_grad()
    logits = model(texts())
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **gradients}


def difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(
        float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max().clamp_min(1))
        for name in ours
    )


def test_a_block_keeps_its_largest_number_and_the_nearest_levels() -> None:
    row = torch.zeros(1, 64)
    row[0, :5] = torch.tensor([4.0, -4.0, 0.3, 2.0, -2.2])
    four, eight = QuantizedWeight(row, "nf4"), QuantizedWeight(row, "int8")
    # 0.3 / 4 = 0.075 lies nearest to level 0.0796, 0.5 to 0.4407, -0.55 to -0.5251.
    levels = torch.tensor(
        [1.0, -1.0, 0.07958029955625534, 0.44070982933044434, -0.5250730514526367]
    )
    assert four.dense()[0, :5].tolist() == (4 * levels).tolist()
    assert eight.codes[0, :5].tolist() == [127, -127, 10, 64, -70]
    assert eight.dense()[0, 2].item() == pytest.approx(4 * 10 / 127)
    assert four.dense()[0, 5:].abs().max() == eight.dense()[0, 5:].abs().max() == 0
    assert four.codes[0, :2].tolist() == [15 << 4 | 0, 8 << 4 | 12]  # the first in the upper half


def test_zeros_levels_and_odd_widths_come_back_whole(kept: Quantization) -> None:
    assert kept != "none"
    exact = torch.tensor(NF4_LEVELS if kept == "nf4" else [i / 127 for i in range(-127, 128, 17)])
    weight = torch.cat([exact, -exact[:1], exact[:1]]).repeat(3, 5)[:, :77] * 0.5
    weight[1] = 0
    stored = QuantizedWeight(weight, kept)
    assert stored.dense().shape == weight.shape
    torch.testing.assert_close(stored.dense(), weight, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(stored.rows(torch.tensor([2, 0])), weight[[2, 0]])
    half = QuantizedWeight(weight.bfloat16(), kept)
    assert half.dense().dtype == torch.bfloat16


def test_four_bits_are_those_of_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    functional = pytest.importorskip("bitsandbytes.functional", reason="extra not installed")
    weight = torch.randn(40, 192, generator=torch.Generator().manual_seed(0))
    codes, state = functional.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    ours = QuantizedWeight(weight, "nf4")
    assert ours.codes.flatten().equal(codes.flatten())
    assert ours.scales.flatten().equal(state.absmax)
    theirs = functional.dequantize_4bit(codes, state)
    assert ours.dense().equal(theirs)
    assert from_nf4_by_bitsandbytes(ours.codes, ours.scales, torch.float32).equal(theirs)
    monkeypatch.setattr(quantization, "NF4_LEVELS", NF4_LEVELS[::-1])
    assert not ours.dense().equal(theirs)


@pytest.mark.parametrize("bias", ["none", "all"])
def test_states_and_gradients_are_those_of_the_dense_twin(
    folder: Path, kept: Quantization, bias: str
) -> None:
    ours, theirs = build(folder, kept, bias=bias), dense_twin(folder, kept, bias=bias)
    expected = outcome(theirs)
    assert difference(outcome(ours), expected) <= TOLERANCE
    if isinstance(ours.encoder, NativeEncoder):
        ours.encoder.fused = False
        assert difference(outcome(ours), expected) <= TOLERANCE


def test_the_unquantized_encoder_is_another_one(folder: Path, kept: Quantization) -> None:
    assert difference(outcome(build(folder, "none")), outcome(dense_twin(folder, kept))) > 1e-3


SABOTAGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "parts of a joined product in another order": lambda patch: patch.setattr(
        low_rank.QuantizedRows,
        "dense",
        lambda self: torch.cat([part.dense() for part in self.parts[::-1]]),
    ),
    "scales of the block before": lambda patch: patch.setattr(
        quantization, "_from_nf4", lambda codes, scales: _shifted(codes, scales)
    ),
}
_from_nf4 = quantization._from_nf4


def _shifted(codes: Tensor, scales: Tensor) -> Tensor:
    return _from_nf4(codes, scales.roll(1, 0))


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotaged_product_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(transformers_encoder("bert"), tmp_path)
    ours, expected = build(folder, "nf4"), outcome(dense_twin(folder, "nf4"))
    assert difference(outcome(ours), expected) <= TOLERANCE
    SABOTAGES[name](monkeypatch)
    assert difference(outcome(ours), expected) > 1e-3


def test_merging_makes_every_weight_dense(folder: Path, kept: Quantization) -> None:
    model = build(folder, kept)
    with torch.no_grad():
        before = model(texts())
        merge_adapters(model)
        assert not [m for m in model.modules() if isinstance(m, QuantizedLinear)]
        assert (model(texts()) - before).abs().max() <= 1e-4 * before.abs().max()


def test_the_head_and_its_pooler_are_never_quantized(tmp_path: Path) -> None:
    folder = save(transformers_encoder("bert"), tmp_path)
    config = read_config(folder)
    encoder = load_encoder(folder, config, torch.float32, with_pooler=True, quantization="nf4")
    model = ClassifierNetwork(
        encoder, build_head("dense", config, 3, 0.0, seed=1), "cls", LabelSet(("a", "b", "c"))
    )
    whole = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert whole == {"bert.pooler.dense", "classifier"}


def test_memory_of_the_frozen_weights(minilm_folder: Path) -> None:
    config = read_config(minilm_folder)
    sizes = {
        kept: frozen_bytes(load_encoder(minilm_folder, config, torch.float32, quantization=kept))
        for kept in ("none", *FORMATS)
    }
    assert sizes["int8"] <= 0.30 * sizes["none"]
    assert sizes["nf4"] <= 0.18 * sizes["none"]


def test_nothing_dense_is_kept_for_the_gradients(tmp_path: Path) -> None:
    folder = save(transformers_encoder("bert"), tmp_path)
    model = build(folder, "nf4")
    model.encoder.fused = False
    quantized = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
    weights = {module.weight.shape for module in quantized}
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.shape) or tensor, lambda tensor: tensor
    ):
        model(texts())
    assert not weights & set(kept)


@pytest.mark.parametrize(("quantization", "zero"), [("int8", 0), ("nf4", 0x77)])
def test_a_block_of_zeros_is_kept_as_zeros(quantization: Quantization, zero: int) -> None:
    weight = torch.zeros(2, 128)
    weight[1, :64] = torch.linspace(-1, 1, 64)
    stored = QuantizedWeight(weight, quantization)
    half = stored.codes.shape[1] // 2
    assert stored.codes[0].unique().tolist() == [zero]
    assert stored.codes[1, half:].unique().tolist() == [zero]
    assert len(stored.codes[1, :half].unique()) > 10
    assert stored.scales.tolist() == [[0, 0], [1, 0]]
