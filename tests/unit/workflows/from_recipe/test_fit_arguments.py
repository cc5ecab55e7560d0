"""What the training section of a recipe becomes: defaults as before, each option where it acts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.errors import RecipeError
from ranklet.labels import LabelSet
from ranklet.recipe import TrainingSection
from ranklet.workflows.from_recipe.fit_arguments import (
    check_class_weights,
    check_steps,
    choose_loss,
    choose_schedule,
)

LABELS = LabelSet(("World", "Sports"))
# Texts of one token: three of World, one of Sports.
CORPUS = TokenCorpus(
    token_ids=np.ones(4, dtype=np.int32),
    offsets=np.arange(5),
    labels=np.array([0, 0, 0, 1]),
    truncated=0,
)
# Probability 0.8 of World; the label is World.
LOGITS, LABEL = torch.tensor([[math.log(4.0), 0.0]]), torch.tensor([0])
LOG = math.log


def loss_of(**training: Any) -> float:
    options = TrainingSection(**training)
    return float(choose_loss(options, LABELS, CORPUS, torch.device("cpu"))(LOGITS, LABEL))


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({}, -LOG(0.8)),
        ({"label_smoothing": 0.2}, -0.9 * LOG(0.8) - 0.1 * LOG(0.2)),
        ({"class_weights": "balanced"}, -LOG(0.8) * 4 / 6),
        ({"class_weights": {"World": 3.0}}, -LOG(0.8) * 3),
        ({"class_weights": {"Sports": 3.0}}, -LOG(0.8)),
        ({"loss": "focal"}, -LOG(0.8) * 0.2**2),
        ({"loss": "focal", "focal_gamma": 0.0}, -LOG(0.8)),
        (
            {"loss": "focal", "focal_gamma": 1.0, "class_weights": "balanced"},
            -LOG(0.8) * 0.2 * 4 / 6,
        ),
        ({"loss": "generalized_cross_entropy"}, (1 - 0.8**0.7) / 0.7),
        ({"loss": "generalized_cross_entropy", "gce_q": 1.0}, 0.2),
        (
            {"loss": "soft_bootstrapping"},
            -0.95 * LOG(0.8) - 0.05 * (0.8 * LOG(0.8) + 0.2 * LOG(0.2)),
        ),
        ({"loss": "hard_bootstrapping"}, -LOG(0.8)),
    ],
)  # fmt: skip
def test_the_loss_of_each_option_by_hand(training: dict[str, Any], expected: float) -> None:
    assert loss_of(**training) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("given", "share"), [(None, 0.8), (0.5, 0.5)])
def test_a_given_label_counts_by_its_share(given: float | None, share: float) -> None:
    options = TrainingSection(loss="hard_bootstrapping", bootstrap_beta=given)
    loss = choose_loss(options, LABELS, CORPUS, torch.device("cpu"))
    expected = -share * LOG(0.2) - (1 - share) * LOG(0.8)
    assert float(loss(LOGITS, torch.tensor([1]))) == pytest.approx(expected, rel=1e-5)


def test_the_default_loss_is_that_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(33, 2, generator=generator), torch.arange(33) % 2
    ours = choose_loss(TrainingSection(), LABELS, CORPUS, torch.device("cpu"))(logits, labels)
    assert torch.isclose(ours, F.cross_entropy(logits, labels), rtol=1e-6)


def test_labels_that_there_are_not_have_no_weight() -> None:
    check_class_weights(TrainingSection(class_weights={"Sports": 2.0}), LABELS)
    with pytest.raises(
        RecipeError, match=r"training\.class_weights: 'Art' is no label; allowed: W"
    ):
        check_class_weights(TrainingSection(class_weights={"Art": 2.0}), LABELS)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"schedule": "constant"}, [1.0, 1.0, 1.0, 1.0]),
        ({"schedule": "cosine_with_restarts"}, [1.0, 0.5, 1.0, 0.5]),
        ({"schedule": "cosine_with_restarts", "schedule_num_cycles": 4}, [1.0, 1.0, 1.0, 1.0]),
        ({"schedule": "polynomial"}, [1.0, 0.75**2, 0.25, 0.25**2]),
        ({"schedule": "polynomial", "schedule_power": 1.0}, [1.0, 0.75, 0.5, 0.25]),
    ],
)
def test_the_schedule_of_each_option_by_hand(
    training: dict[str, Any], expected: list[float]
) -> None:
    factor = choose_schedule(TrainingSection(warmup_steps=0, **training), 4)
    assert [factor(step) for step in range(1, 5)] == pytest.approx(expected)
    half = choose_schedule(TrainingSection(warmup_ratio=0.5, **training), 4)
    assert [half(1), half(2)] == [0.5, 1.0]


@pytest.mark.parametrize(
    ("training", "texts", "steps"),
    [
        ({"epochs": 10_000}, 3_200, None),
        ({"epochs": 10_000}, 3_201, "1,010,000"),
        ({"epochs": 10_000, "max_steps": 1_000_000}, 10**6, None),
        ({"epochs": 10_000, "max_steps": 1_000_001}, 10**6, "312,500,000"),
        ({"epochs": 10_000, "gradient_accumulation_steps": 2}, 6_400, None),
        ({"epochs": 10_000, "batch_tokens": 64}, 3_200, None),
        ({"epochs": 10_000, "batch_tokens": 1}, 100, "2,000,000"),
    ],
)
def test_more_steps_than_are_planned_are_refused(
    training: dict[str, Any], texts: int, steps: str | None
) -> None:
    options = TrainingSection(**training)
    if steps is None:
        check_steps(options, texts)
        return
    with pytest.raises(RecipeError, match=rf"training\.epochs: .* are at least {steps} opt"):
        check_steps(options, texts)
