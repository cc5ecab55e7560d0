"""Every optimizer step of a training, known before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

Indices = np.ndarray


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Attributes:
        number: Counted from 1.
        epoch: Epochs completed after this step; a fraction inside an epoch.
        batches: Row indices of each accumulated batch.
        validate: A validation follows.
    """

    number: int
    epoch: float
    batches: tuple[Indices, ...]
    validate: bool


def training_steps(
    epochs: Sequence[Sequence[Indices]],
    accumulation: int,
    max_steps: int | None,
    evaluate_every: int | None,
) -> list[Step]:
    """Lay out a training.

    Each epoch gives its batches, as row indices; its last step may have fewer of them than
    `accumulation`. Without `evaluate_every` a validation follows each epoch, and always the last
    step.
    """
    steps: list[Step] = []
    for epoch, batches in enumerate(epochs):
        for start in range(0, len(batches), accumulation):
            end = min(start + accumulation, len(batches))
            number = len(steps) + 1
            due = end == len(batches) if evaluate_every is None else number % evaluate_every == 0
            progress = epoch + end / len(batches)
            steps.append(Step(number, progress, tuple(batches[start:end]), due))
    *earlier, last = steps[:max_steps]
    return [*earlier, replace(last, validate=True)]
