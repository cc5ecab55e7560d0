"""The loss beside a teacher, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.training.losses import cross_entropy, distilled


class Fixed(nn.Module):
    """Answers with logits that train."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, batch: Batch) -> Tensor:
        return self.logits


def batch(labels: list[int], targets: Tensor) -> Batch:
    seqlens = torch.arange(len(labels) + 1, dtype=torch.int32)
    ids = torch.zeros(len(labels), dtype=torch.long)
    return Batch(ids, seqlens, 1, torch.tensor(labels), targets=targets)


def test_both_parts_by_hand() -> None:
    model = Fixed(torch.tensor([[2.0 * math.log(3.0), 0.0]]))
    texts = batch([0], torch.tensor([[0.5, 0.5]]))
    # At temperature 2 the student gives 3/4 and 1/4; the teacher 1/2 and 1/2.
    divergence = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    hard = -math.log(9 / 10)
    loss = distilled(0.25, 2.0)(model, cross_entropy(0.0), texts)
    assert loss.item() == pytest.approx(0.75 * hard + 0.25 * 4 * divergence)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn_from_it() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    model = Fixed(logits.clone())
    texts = batch([0, 1], (logits / 3.0).softmax(-1))
    loss = distilled(1.0, 3.0)(model, cross_entropy(0.0), texts)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert model.logits.grad is not None
    assert float(model.logits.grad.abs().max()) < 1e-6


def test_gradients_keep_their_size_at_high_temperatures() -> None:
    """Hinton et al., section 2.1: at high temperature the gradient goes to (z - v) / classes."""
    student, teacher = torch.tensor([[1.0, -1.0]]), torch.tensor([[-0.5, 0.5]])
    model = Fixed(student.clone())
    temperature = 1000.0
    texts = batch([0], (teacher / temperature).softmax(-1))
    distilled(1.0, temperature)(model, cross_entropy(0.0), texts).backward()
    assert model.logits.grad is not None
    torch.testing.assert_close(model.logits.grad, (student - teacher) / 2, rtol=1e-2, atol=1e-3)
