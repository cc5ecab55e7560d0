"""Losses: values by hand, gradients that stay finite, and weights that do what they say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.training.fit import fit
from ranklet.training.losses import (
    Loss,
    balanced_weights,
    bootstrapping,
    cross_entropy,
    focal,
    generalized_cross_entropy,
    one_pass,
    r_drop,
)
from ranklet.training.optimizer_step import Objective, add_gradients
from ranklet.training.selection import Selection
from ranklet.training.steps import training_steps

# Probabilities (0.8, 0.2) and (0.4, 0.6); both labels are class 0.
LOGITS = torch.tensor([[math.log(4.0), 0.0], [0.0, math.log(1.5)]])
LABELS = torch.tensor([0, 0])
LOG = math.log

BY_HAND: dict[str, tuple[Loss, float]] = {
    "cross-entropy": (cross_entropy(0.0), -(LOG(0.8) + LOG(0.4)) / 2),
    "smoothed": (
        cross_entropy(0.2),
        -(0.9 * LOG(0.8) + 0.1 * LOG(0.2) + 0.9 * LOG(0.4) + 0.1 * LOG(0.6)) / 2,
    ),
    "focal": (focal(2.0), -(0.2**2 * LOG(0.8) + 0.6**2 * LOG(0.4)) / 2),
    "focal, half": (focal(0.5), -(0.2**0.5 * LOG(0.8) + 0.6**0.5 * LOG(0.4)) / 2),
    "generalized": (
        generalized_cross_entropy(0.5),
        ((1 - 0.8**0.5) / 0.5 + (1 - 0.4**0.5) / 0.5) / 2,
    ),
    "mean absolute error": (generalized_cross_entropy(1.0), (0.2 + 0.6) / 2),
    "soft bootstrapping": (
        bootstrapping(0.75, hard=False),
        -(
            (0.75 + 0.25 * 0.8) * LOG(0.8) + 0.25 * 0.2 * LOG(0.2)
            + (0.75 + 0.25 * 0.4) * LOG(0.4) + 0.25 * 0.6 * LOG(0.6)
        ) / 2,
    ),
    "hard bootstrapping": (
        bootstrapping(0.75, hard=True),
        -(LOG(0.8) + 0.75 * LOG(0.4) + 0.25 * LOG(0.6)) / 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_a_loss_by_hand(name: str) -> None:
    loss, expected = BY_HAND[name]
    assert float(loss(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-6)


SAME: dict[str, tuple[Loss, float]] = {
    "focal without focus": (focal(0.0), 1e-6),
    "generalized near 0": (generalized_cross_entropy(1e-4), 1e-3),
    "soft bootstrapping of the labels": (bootstrapping(1.0, hard=False), 1e-6),
    "hard bootstrapping of the labels": (bootstrapping(1.0, hard=True), 1e-6),
}


@pytest.mark.parametrize("name", SAME)
def test_an_edge_of_each_loss_is_cross_entropy(name: str) -> None:
    loss, tolerance = SAME[name]
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 5
    assert torch.isclose(loss(logits, labels), F.cross_entropy(logits, labels), rtol=tolerance)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("logit", [0.0, 30.0, 200.0, -200.0])
def test_gradients_are_finite_for_certain_models(name: str, logit: float) -> None:
    logits = torch.tensor([[logit, 0.0]], requires_grad=True)
    value = BY_HAND[name][0](logits, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_wrong_label_moves_the_robust_loss_less() -> None:
    # The gradient of (1 - p^q) / q is that of cross-entropy times p^q.
    logits = torch.tensor([[LOG(1 / 99), 0.0]], requires_grad=True)
    wrong = torch.tensor([0])
    (plain,) = torch.autograd.grad(cross_entropy(0.0)(logits, wrong), logits)
    (robust,) = torch.autograd.grad(generalized_cross_entropy(0.7)(logits, wrong), logits)
    assert torch.allclose(robust, plain * 0.01**0.7, rtol=1e-4)


WEIGHTS = torch.tensor([3.0, 0.5])


def test_weights_and_smoothing_by_hand() -> None:
    loss = cross_entropy(0.2, WEIGHTS)
    labels = torch.tensor([0, 1])
    first = -(0.9 * LOG(0.8) + 0.1 * LOG(0.2))
    second = -(0.1 * LOG(0.4) + 0.9 * LOG(0.6))
    expected = (3.0 * first + 0.5 * second) / 2
    assert float(loss(LOGITS, labels)) == pytest.approx(expected, rel=1e-6)
    theirs = F.cross_entropy(LOGITS, labels, WEIGHTS, label_smoothing=0.2, reduction="sum") / 2
    assert float(theirs) != pytest.approx(expected, rel=1e-2)


def test_weights_do_not_change_what_smoothing_asks_for() -> None:
    """Whatever the weights, one text's best probabilities are the smoothed label's (0.9, 0.1)."""
    logits = torch.tensor([[LOG(9.0), 0.0]], requires_grad=True)
    label = torch.tensor([0])
    (ours,) = torch.autograd.grad(cross_entropy(0.2, WEIGHTS)(logits, label), logits)
    assert torch.allclose(ours, torch.zeros_like(ours), atol=1e-6)
    distorted = F.cross_entropy(logits, label, WEIGHTS, label_smoothing=0.2)
    assert torch.autograd.grad(distorted, logits)[0].abs().max() > 1e-2


BUILD: dict[str, Callable[[Tensor | None], Loss]] = {
    "cross_entropy": lambda weights: cross_entropy(0.1, weights),
    "focal": lambda weights: focal(2.0, weights),
    "generalized_cross_entropy": lambda weights: generalized_cross_entropy(0.7, weights),
    "bootstrapping": lambda weights: bootstrapping(0.8, True, weights),
}


@pytest.mark.parametrize("name", BUILD)
def test_a_text_counts_as_often_as_its_class_weighs(name: str) -> None:
    """Weight 3 is the text three times, and equal weights of 1 change nothing."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 2, generator=generator), torch.tensor([0, 1, 1, 0])
    repeated = torch.cat([logits, *[logits[labels == 0]] * 2])
    of_repeated = torch.cat([labels, labels.new_zeros(4)])
    weighed = BUILD[name](torch.tensor([3.0, 1.0]))(logits, labels)
    assert torch.isclose(weighed * 4, BUILD[name](None)(repeated, of_repeated) * 8)
    assert torch.equal(
        BUILD[name](torch.ones(2))(logits, labels), BUILD[name](None)(logits, labels)
    )


def test_balanced_weights_by_hand() -> None:
    labels = np.array([0] * 6 + [1] * 2)
    assert balanced_weights(labels, 2).tolist() == pytest.approx([8 / 12, 8 / 4])
    assert balanced_weights(np.array([0, 0, 2, 2]), 4).tolist() == [1.0, 1.0, 1.0, 1.0]
    # Every class then has the same say, and all texts together that of their number.
    assert float(balanced_weights(labels, 2)[torch.from_numpy(labels)].sum()) == pytest.approx(8)


class Dropping(nn.Module):
    """Logits that differ from pass to pass in a known way."""

    def __init__(self, *passes: list[float]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.passes = [torch.tensor([row]) for row in passes]
        self.calls = 0

    def forward(self, batch: Batch) -> Tensor:
        logits = self.passes[self.calls % len(self.passes)] + self.value
        self.calls += 1
        return logits.expand(batch.num_texts, -1)


def batch(labels: list[int], texts: int | None = None) -> Batch:
    texts = len(labels) if texts is None else texts
    starts = torch.arange(texts + 1, dtype=torch.int32)
    return Batch(torch.ones(texts, dtype=torch.int64), starts, 1, torch.tensor(labels))


def test_r_drop_by_hand() -> None:
    # Two passes that give (0.8, 0.2) and (0.4, 0.6).
    model = Dropping(LOGITS[0].tolist(), LOGITS[1].tolist())
    value = r_drop(4.0)(model, cross_entropy(0.0), batch([0, 0, 0]))
    forth = 0.8 * LOG(0.8 / 0.4) + 0.2 * LOG(0.2 / 0.6)
    back = 0.4 * LOG(0.4 / 0.8) + 0.6 * LOG(0.6 / 0.2)
    whole = -LOG(0.8) - LOG(0.4) + 4.0 * (forth + back) / 2  # the paper's equation 4
    assert value.item() == pytest.approx(whole / 2, rel=1e-6)
    assert model.calls == 2


def test_r_drop_of_equal_passes_is_the_loss_itself() -> None:
    model = Dropping([1.0, 0.0])
    of_two = r_drop(5.0)(model, focal(2.0), batch([0, 1]))
    assert torch.isclose(of_two, one_pass(model, focal(2.0), batch([0, 1])))


def test_texts_behind_the_labelled_ones_are_no_part_of_it() -> None:
    model = Dropping([1.0, 0.0], [0.0, 0.5])
    for batch_loss in (one_pass, r_drop(2.0)):
        model.calls = 0
        plain = batch_loss(model, cross_entropy(0.0), batch([0, 1]))
        model.calls = 0
        assert torch.isclose(plain, batch_loss(model, cross_entropy(0.0), batch([0, 1], texts=5)))


class Linear(nn.Module):
    """Reads the token as a number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(1, 2)

    def forward(self, batch: Batch) -> Tensor:
        return self.map(batch.token_ids.float()[:, None] / 10)


NUMBERS, CLASSES = torch.arange(12), torch.tensor([0] * 9 + [1] * 3)


def load(indices: np.ndarray) -> Batch:
    rows = torch.from_numpy(indices)
    starts = torch.arange(len(indices) + 1, dtype=torch.int32)
    return Batch(NUMBERS[rows], starts, 1, CLASSES[rows])


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("batch_loss", [one_pass, r_drop(1.0)])
def test_accumulated_batches_of_weighed_texts_equal_one(name: str, batch_loss: object) -> None:
    """Batches of 5, 5 and 2 texts with other shares of classes give the step of all 12."""
    models = []
    for sizes in ((5, 5, 2), (12,)):
        model = Linear()
        epoch = np.split(np.arange(12), np.cumsum(sizes)[:-1])
        fit(
            model,
            training_steps([epoch] * 3, len(sizes), None, None),
            load,
            Objective(
                BUILD[name](balanced_weights(CLASSES.numpy(), 2)),
                torch.optim.SGD(model.parameters(), lr=0.5),
                batch_loss=batch_loss,  # type: ignore[arg-type]
            ),
            Selection(lambda: {"accuracy": 0.0}),
        )
        models.append(model)
    for first, second in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


def test_the_gradients_are_those_of_the_batch_loss() -> None:
    model = Linear()
    share = add_gradients(
        model, cross_entropy(0.0), None, load(np.arange(4)), 0.5, batch_loss=r_drop(1.0)
    )
    alone = Linear()
    value = one_pass(alone, cross_entropy(0.0), load(np.arange(4))) * 0.5
    value.backward()
    assert torch.isclose(share, value)
    assert model.map.weight.grad is not None
    assert torch.allclose(model.map.weight.grad, alone.map.weight.grad)  # type: ignore[arg-type]
