"""Every optimizer step of a training, known before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

Indices = np.ndarray

# All steps are laid out before the first, at about 600 bytes each.
MOST_STEPS = 1_000_000


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


def unvalidated(steps: Sequence[Step], last: int) -> list[Step]:
    """Return the steps up to a last one, without a validation."""
    return [replace(step, validate=False) for step in steps[:last]]


def training_steps(
    epochs: Iterable[Sequence[Indices]],
    accumulation: int,
    max_steps: int | None,
    evaluate_every: int | None,
) -> list[Step]:
    """Lay out a training.

    Each epoch gives its batches, as row indices; its last step may have fewer of them than
    `accumulation`. Epochs after `max_steps` are not asked for. Without `evaluate_every` a
    validation follows each epoch, and always the last step. Without epochs there are no steps.
    """
    steps: list[Step] = []
    for epoch, batches in enumerate(epochs):
        for start in range(0, len(batches), accumulation):
            end = min(start + accumulation, len(batches))
            number = len(steps) + 1
            due = end == len(batches) if evaluate_every is None else number % evaluate_every == 0
            progress = epoch + end / len(batches)
            steps.append(Step(number, progress, tuple(batches[start:end]), due))
        if max_steps is not None and len(steps) >= max_steps:
            break
    if not steps:
        return []
    *earlier, last = steps[:max_steps]
    return [*earlier, replace(last, validate=True)]
