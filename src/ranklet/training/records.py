"""What a training says about each of its steps, once losses have come back from a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ranklet.errors import TrainingDivergedError
from ranklet.training.steps import Step

Record = dict[str, Any]
"""A step (`kind`: train) or a validation (`kind`: validation), a line of `metrics.jsonl`."""


@dataclass(frozen=True)
class StepOutcome:
    """A step that was taken; its loss and gradient norm may still be on their way from a GPU."""

    step: Step
    loss: Tensor
    grad_norm: Tensor
    learning_rate: float
    texts: int
    tokens: int | Tensor
    padded_tokens: int | Tensor


class StepRecords:
    """Collects outcomes of steps and hands out their records, several at a time.

    Args:
        record: Receives the records.
        read_every: Outcomes that are collected at most.
        may_overflow: Gradients may be infinite, as a scaler of float16 then leaves out the step.
    """

    def __init__(
        self, record: Callable[[Record], None], read_every: int, may_overflow: bool
    ) -> None:
        self.record = record
        self.read_every = read_every
        self.may_overflow = may_overflow
        self._waiting: list[StepOutcome] = []
        self.start_clock()

    def start_clock(self) -> None:
        """Measure the texts per second of the next steps from now on."""
        self._since = time.perf_counter()

    def add(self, outcome: StepOutcome, read: bool) -> None:
        """Collect an outcome; read all of them if that is wanted, or if there are enough.

        Raises:
            TrainingDivergedError: A loss or a gradient that was read is NaN or infinite.
        """
        self._waiting.append(outcome)
        if read or len(self._waiting) == self.read_every:
            self._read()

    def _read(self) -> None:
        outcomes, self._waiting = self._waiting, []
        numbers = torch.stack(
            [torch.stack([outcome.loss, outcome.grad_norm]) for outcome in outcomes]
        ).tolist()
        texts_per_s = sum(outcome.texts for outcome in outcomes) / (
            time.perf_counter() - self._since
        )
        for outcome, (loss, norm) in zip(outcomes, numbers, strict=True):
            refuse_divergence(outcome.step, loss, 0.0 if self.may_overflow else norm)
            self.record(
                {
                    "kind": "train",
                    "step": outcome.step.number,
                    "epoch": outcome.step.epoch,
                    "loss": loss,
                    "grad_norm": norm,
                    "learning_rate": outcome.learning_rate,
                    "texts": outcome.texts,
                    "tokens": int(outcome.tokens),
                    "padding": float(1 - outcome.tokens / outcome.padded_tokens),
                    "texts_per_s": texts_per_s,
                }
            )
        self.start_clock()


def refuse_divergence(step: Step, loss: float, norm: float) -> None:
    """Refuse to go on after a step whose numbers are none.

    Raises:
        TrainingDivergedError: Loss or gradient norm is NaN or infinite.
    """
    if math.isfinite(loss) and math.isfinite(norm):
        return
    rows = ", ".join(str(row) for row in step.batches[0][:5])
    raise TrainingDivergedError(
        f"training diverged at step {step.number} (epoch {step.epoch:.2f}): loss {loss}, gradient "
        f"norm {norm}; training rows {rows}, ...; lower training.learning_rate or set "
        "training.max_grad_norm",
        step.number,
    )
