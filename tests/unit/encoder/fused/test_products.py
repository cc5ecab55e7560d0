"""Both libraries multiply alike, and the one that this machine is faster with is taken."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ranklet.encoder import kernels
from ranklet.encoder.fused import products

STATES, WEIGHT = torch.randn(9, 6), torch.randn(5, 6)
ADDED = {"nothing": None, "a bias": torch.randn(5), "a residual": torch.randn(9, 5)}
WEIGHTS = {"as it lies": WEIGHT, "transposed": WEIGHT.T.contiguous().T}


def by(
    kernel: int, monkeypatch: pytest.MonkeyPatch, weight: Tensor, added: Tensor | None
) -> Tensor:
    monkeypatch.setattr(products, "fastest", lambda question, both: kernel)
    return products.multiply(STATES, weight, added)


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_libraries_agree(
    weight: Tensor, added: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = None if added is None else added.clone()
    pytorch, onednn = (by(kernel, monkeypatch, weight, added) for kernel in (0, 1))
    expected = STATES.double() @ weight.T.double() + (0 if added is None else added.double())
    for product in (pytorch, onednn):
        assert (product - expected).abs().max() < 1e-5
    assert before is None or added is None or torch.equal(added, before)


def test_another_weight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytorch = by(0, monkeypatch, WEIGHT, None)
    onednn = by(1, monkeypatch, WEIGHT + 1e-3, None)
    assert (pytorch - onednn).abs().max() > 1e-5


def test_the_choice_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_by_onednn", None)
    by(0, monkeypatch, WEIGHT, None)
    with pytest.raises(TypeError):
        by(1, monkeypatch, WEIGHT, None)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_this_machine_is_asked_by_size_and_layout(
    weight: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANKLET_KERNELS")
    monkeypatch.setattr(kernels, "_answers", {})
    product = products.multiply(STATES, weight, None)
    (question,) = kernels.answered_questions()
    assert "6 to 5" in question
    assert ("transposed" in question) is (not weight.is_contiguous())
    assert (product - STATES @ weight.T).abs().max() < 1e-5


def test_bfloat16_is_not_asked() -> None:
    product = products.multiply(STATES.bfloat16(), WEIGHT.bfloat16(), None)
    assert product.dtype == torch.bfloat16
