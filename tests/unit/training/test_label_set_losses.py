"""Losses of label sets: values by hand, PyTorch's and transformers' own, and weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ranklet.training.label_set_losses import (
    balanced_positive_weights,
    binary_cross_entropy,
    binary_focal,
)
from ranklet.training.losses import Loss

LOG = math.log
# Probabilities 0.8 and 0.5; the text has the first label only.
LOGITS = torch.tensor([[LOG(4.0), 0.0]])
LABELS = torch.tensor([[1, 0]])
WEIGHTS = torch.tensor([3.0, 5.0])

BY_HAND: dict[str, tuple[Loss, float]] = {
    "cross-entropy": (binary_cross_entropy(0.0), -(LOG(0.8) + LOG(0.5)) / 2),
    "smoothed": (
        binary_cross_entropy(0.2),
        -(0.9 * LOG(0.8) + 0.1 * LOG(0.2) + 0.9 * LOG(0.5) + 0.1 * LOG(0.5)) / 2,
    ),
    "weighed": (binary_cross_entropy(0.0, WEIGHTS), -(3 * LOG(0.8) + LOG(0.5)) / 2),
    "smoothed and weighed": (
        binary_cross_entropy(0.2, WEIGHTS),
        -(3 * (0.9 * LOG(0.8) + 0.1 * LOG(0.2)) + LOG(0.5)) / 2,
    ),
    "focal": (binary_focal(2.0), -(0.2**2 * LOG(0.8) + 0.5**2 * LOG(0.5)) / 2),
    "focal, weighed": (binary_focal(1.0, WEIGHTS), -(3 * 0.2 * LOG(0.8) + 0.5 * LOG(0.5)) / 2),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_loss_by_hand(name: str) -> None:
    loss, expected = BY_HAND[name]
    assert float(loss(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("logit", [0.0, 30.0, 200.0, -200.0])
def test_gradients_are_finite_for_certain_models(name: str, logit: float) -> None:
    logits = torch.tensor([[logit, -logit]], requires_grad=True)
    value = BY_HAND[name][0](logits, LABELS)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.isfinite()
    assert gradient.isfinite().all()


def random_case() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20, 5, generator=generator)
    return logits, (torch.rand(20, 5, generator=generator) < 0.3).long()


def test_without_smoothing_it_is_pytorchs_loss_with_pos_weight() -> None:
    logits, labels = random_case()
    weights = torch.tensor([1.0, 2.0, 0.5, 4.0, 9.0])
    theirs = F.binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=weights)
    assert torch.isclose(binary_cross_entropy(0.0, weights)(logits, labels), theirs)
    # The same weight on every answer, yes or no, is another loss.
    sabotaged = F.binary_cross_entropy_with_logits(logits, labels.float(), weight=weights)
    assert not torch.isclose(binary_cross_entropy(0.0, weights)(logits, labels), sabotaged)


def test_focal_without_focus_is_binary_cross_entropy() -> None:
    logits, labels = random_case()
    assert torch.isclose(
        binary_focal(0.0)(logits, labels), binary_cross_entropy(0.0)(logits, labels)
    )


def test_balanced_weights_are_texts_without_over_texts_with() -> None:
    labels = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 0]])
    assert balanced_positive_weights(labels).tolist() == [3.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "problem_type", ["multi_label_classification", "single_label_classification"]
)
def test_transformers_computes_the_same_loss(problem_type: str) -> None:
    """With its `problem_type`, the word that ranklet's recipe and files use; not with the other."""
    transformers = pytest.importorskip("transformers")
    labels = random_case()[1]
    config = transformers.BertConfig(
        hidden_size=8, num_attention_heads=1, num_hidden_layers=1, intermediate_size=8,
        vocab_size=20, num_labels=5, problem_type=problem_type,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config).eval()
    ids = torch.arange(20)[:, None]
    is_multi = problem_type == "multi_label_classification"
    theirs = model(ids, labels=labels.float() if is_multi else labels.argmax(-1))
    ours = binary_cross_entropy(0.0)(theirs.logits, labels)
    assert bool(torch.isclose(ours, theirs.loss, rtol=1e-5)) is is_multi
