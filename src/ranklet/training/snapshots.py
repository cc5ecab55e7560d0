"""Trainable tensors as they were at a validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Metrics = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Trainable tensors at a validation.

    Attributes:
        step: Optimizer steps taken.
        metrics: Of the validation.
        state: The tensors by name.
    """

    step: int
    metrics: Metrics
    state: Mapping[str, Tensor]


def mean_state(snapshots: Sequence[Snapshot]) -> dict[str, Tensor]:
    """Average tensors of the same names."""
    return {
        name: torch.stack([snapshot.state[name] for snapshot in snapshots]).mean(0)
        for name in snapshots[0].state
    }
