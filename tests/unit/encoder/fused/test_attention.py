"""Long texts in bfloat16: probabilities that are kept and PyTorch's kernel say the same."""

from __future__ import annotations

import pytest
import torch

from ranklet.encoder import kernels
from ranklet.encoder.fused import attention
from ranklet.encoder.packing import PaddedLayout
from ranklet.encoder.precision import dtype_name

LENGTHS = (130, 70, 3)
HEAD_DIM, HEADS = 8, 2


def outcome(kept_up_to: int, monkeypatch: pytest.MonkeyPatch) -> tuple[torch.Tensor, torch.Tensor]:
    monkeypatch.setattr(attention, "kept_up_to", lambda dtype, head_dim: kept_up_to)
    torch.manual_seed(0)
    projected = torch.randn(sum(LENGTHS), 3 * HEADS * HEAD_DIM).bfloat16()
    starts = torch.tensor([0, *LENGTHS]).cumsum(0).int()
    context, gradient_of = attention.attend(
        projected, PaddedLayout(starts, max(LENGTHS)), HEAD_DIM, recording=True
    )
    return context.float(), gradient_of(torch.ones_like(context)).float()


def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, kernel = outcome(256, monkeypatch), outcome(64, monkeypatch)
    for mine, theirs in zip(kept, kernel, strict=True):
        assert (mine - theirs).abs().max() < 0.05 * theirs.abs().max()


def test_long_texts_in_bfloat16_are_kept_and_longer_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention, "_attend_padded", None)
    outcome(256, monkeypatch)
    with pytest.raises(TypeError):
        outcome(100, monkeypatch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_this_machine_is_asked_how_long_a_text_may_be(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANKLET_KERNELS")
    monkeypatch.setattr(kernels, "_answers", {})
    with torch.inference_mode():  # as a first prediction asks
        assert attention.kept_up_to(dtype, HEAD_DIM) in (0, *attention.KEPT_LENGTHS)
    (question,) = kernels.answered_questions()
    assert str(HEAD_DIM) in question
    assert dtype_name(dtype) in question
