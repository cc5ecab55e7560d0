"""A contrastive start of the adapters: texts of one label come together before any has a name.

SetFit (Tunstall et al. 2022, arXiv:2209.11055) tunes sentence encoders so on a few labelled texts,
by sampled pairs. Supervised contrastive learning (Khosla et al. 2020, arXiv:2004.11362) takes all
pairs of a batch: those of 64 texts are 2,016, and each text passes through the encoder once, not
once for each pair that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.batching import Indices
from ranklet.data.tokens.corpus import Corpus
from ranklet.head import module_device
from ranklet.saved.probes import compute_dtype
from ranklet.training.losses import Loss
from ranklet.training.optimizer_step import Objective, add_gradients, loss_scaler, take_step
from ranklet.training.optimizers import build_optimizer
from ranklet.training.processes import ALONE
from ranklet.training.records import StepOutcome
from ranklet.training.schedules import learning_rate_factor
from ranklet.training.steps import Step

BATCH_TEXTS = 64
"""Texts of a batch at most."""

TEMPERATURE = 0.1
"""What cosines are divided by; as in the paper."""

WARMUP = 0.1
"""Share of the steps over which the learning rate rises; from then on it falls to 0."""

MAX_GRAD_NORM = 1.0
"""L2 norm to which larger gradients are scaled down."""


@dataclass(frozen=True)
class ContrastiveStart:
    """What came of a contrastive start.

    Attributes:
        steps: Optimizer steps taken; 0 where no label has two texts.
        first_loss: Loss of the first batch.
        last_loss: Loss of the last one.
    """

    steps: int
    first_loss: float
    last_loss: float


def start_contrastively(
    model: ClassifierNetwork,
    corpus: Corpus,
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
) -> ContrastiveStart:
    """Train what lies below the last map of the head so that texts of one label are alike.

    With AdamW, in place. Equal seeds give equal tensors, to the bit on one machine.

    Args:
        model: Its adapters at their start; the last map of its head is neither read nor changed.
        corpus: Training texts, each with one label.
        steps: Optimizer steps.
        learning_rate: Peak learning rate.
        weight_decay: Decay per step and unit of learning rate.
        seed: Of the batches.

    Raises:
        TrainingDivergedError: The loss or the gradient of a step is NaN or infinite.
    """
    assert corpus.labels is not None
    objective = _objective(model, steps, learning_rate, weight_decay)
    work = partial(
        add_gradients, model, objective.loss, objective.scaler, batch_loss=objective.batch_loss
    )
    device, peaks = module_device(model), objective.learning_rates()
    outcomes: list[StepOutcome] = []
    model.train()
    batches = islice(contrastive_batches(corpus.labels, seed), steps)
    for number, indices in enumerate(batches, 1):
        objective.set_learning_rates(peaks, number)
        outcome = take_step(
            Step(number, 0.0, (indices,), validate=False),
            lambda rows: corpus.batch(rows).to(device),
            work,
            objective,
            lambda step: None,
            ALONE,
        )
        outcomes.append(outcome)
    model.eval()
    if not outcomes:
        return ContrastiveStart(0, 0.0, 0.0)
    return ContrastiveStart(len(outcomes), float(outcomes[0].loss), float(outcomes[-1].loss))


def supervised_contrastive(temperature: float) -> Loss:
    """Return the supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, equation 2).

    Each text is to find those of its label among all others of the batch, by the cosine of their
    states; a text that is alone with its label is only one of the others.

    Args:
        temperature: What cosines are divided by; the lower, the more the nearest others count.

    Returns:
        (states (texts, width) float32, labels (texts,) int64) -> mean over the texts.
    """

    def loss(states: Tensor, labels: Tensor) -> Tensor:
        directions = F.normalize(states, dim=-1)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        cosines = (directions @ directions.T).masked_fill(itself, -torch.inf)
        losses = -(cosines / temperature).log_softmax(-1)
        alike = (labels[:, None] == labels) & ~itself
        partners = alike.sum(-1)
        return (losses.masked_fill(~alike, 0.0).sum(-1) / partners)[partners > 0].mean()

    return loss


def contrastive_batches(labels: NDArray[np.int64], seed: int) -> Iterator[Indices]:
    """Yield batches in which every label has two texts at least, and labels come equally often.

    Args:
        labels: (texts,) class indices; a label with one text is left out.
        seed: Of the order of the labels and the choice of their texts.

    Yields:
        (texts of the batch,) int64 indices, at most `BATCH_TEXTS`, without end; nothing where no
        label has two texts.
    """
    generator = np.random.default_rng(seed)
    own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    own = [texts for texts in own if len(texts) > 1]
    of_each = max(2, BATCH_TEXTS // max(1, len(own)))
    batches = ceil(len(own) * of_each / BATCH_TEXTS)  # that have every label once
    while own:
        for chosen in np.array_split(generator.permutation(len(own)), batches):
            yield np.concatenate(
                [
                    generator.choice(own[label], min(of_each, len(own[label])), replace=False)
                    for label in chosen
                ]
            )


def _on_features(model: nn.Module, loss: Loss, batch: Batch) -> Tensor:
    assert isinstance(model, ClassifierNetwork)
    assert batch.labels is not None
    return loss(model.features(batch), batch.labels)


def _objective(
    model: ClassifierNetwork, steps: int, learning_rate: float, weight_decay: float
) -> Objective:
    optimizer = build_optimizer(
        model,
        head=model.head_modules,
        learning_rate=learning_rate,
        head_learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    schedule = partial(
        learning_rate_factor,
        schedule="linear",
        warmup_steps=ceil(WARMUP * steps),
        total_steps=steps,
    )
    scaler = loss_scaler(compute_dtype(model), module_device(model))
    loss = supervised_contrastive(TEMPERATURE)
    return Objective(loss, optimizer, schedule, _on_features, MAX_GRAD_NORM, scaler)
