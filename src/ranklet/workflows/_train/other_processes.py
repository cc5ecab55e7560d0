"""What the processes behind the first do in a training. They read no data and write nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ranklet.data.texts import Text
from ranklet.data.tokens.corpus import Corpora
from ranklet.encoder.precision import choose_device, prepare_memory
from ranklet.labels import LabelSet
from ranklet.recipe import Recipe
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.processes import Processes
from ranklet.training.snapshots import Snapshot
from ranklet.training.steps import Step
from ranklet.workflows._train.resume import take_kernels_of
from ranklet.workflows._train.signals import StopRequest
from ranklet.workflows.from_recipe.model import build_model
from ranklet.workflows.from_recipe.placement import encoder_of


@dataclass(frozen=True, eq=False)
class ProbeStart:
    """What a linear probe is worth, before anything is trained.

    Attributes:
        moments: Its tensors and its figures on validation; before them those of the probe of what
            a contrastive start made of the encoder, if there was one, which is kept of equals.
        logits: (texts, classes) float32 of validation and test by name, of the frozen encoder.
    """

    moments: tuple[Snapshot, ...]
    logits: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """What the training loop works on, the same on every process.

    Process 0 sends it: the others need the encoder and nothing else on their disks.

    Attributes:
        recipe: With the rank of every adapter chosen.
        labels: The classes.
        corpora: The splits by name, tokenized.
        texts: The training texts, cleaned.
        targets: (texts, classes) float32, a teacher's answers about the training texts, or None.
        checkpoint: Where to go on; None: from the start.
        dtype: Compute dtype.
        probe: The linear probe that the head starts from; None: it starts at random.
        until: Share of the planned steps after which it ends, and nothing is validated on the way;
            None: all of them, with validation.
    """

    recipe: Recipe
    labels: LabelSet
    corpora: Corpora
    texts: Sequence[Text]
    targets: Tensor | None
    checkpoint: Checkpoint | None
    dtype: torch.dtype
    probe: ProbeStart | None = None
    until: float | None = None

    @property
    def known(self) -> tuple[Snapshot, ...]:
        """Moments before the first step that validation is to compare with."""
        return () if self.probe is None or self.until is not None else self.probe.moments


@dataclass(frozen=True)
class NoRecords:
    """In place of `Records`, where another process keeps them."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Let a record go."""

    def state_dict(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Take nothing."""


@dataclass(frozen=True)
class NoCheckpoints:
    """In place of `CheckpointSchedule`: this process ends where all do, and another one writes.

    Attributes:
        stop: A signal asks for the end of the training.
    """

    stop: StopRequest

    def due(self, step: Step, last_step: int, any_process: Callable[[bool], bool]) -> bool:
        """Tell whether the training ends after a step."""
        del step, last_step
        self.stop.agree(any_process)
        return self.stop.signal is not None

    def keep(self, checkpoint: Checkpoint) -> None:
        """End the training.

        Raises:
            TrainingStoppedError: Always.
        """
        self.stop.obey(f" after step {checkpoint.step}")


def follow_first(processes: Processes, stop: StopRequest, fit_model: Callable[..., object]) -> None:
    """Do this process's share of the trainings that process 0 hands out, until that has ended.

    Args:
        processes: All of them.
        stop: A signal asks for the end of the training.
        fit_model: The part of a training in which all processes work.

    Raises:
        TrainingStoppedError: A signal ended the training in order.
        ProcessLostError: Another process ended or does not answer.
        RankletError: This machine lacks the encoder, or what computes it.
    """
    while (inputs := processes.next_work()) is not None:
        with processes.apart():
            prepare_memory()
            if inputs.checkpoint is not None:
                take_kernels_of(inputs.checkpoint)
            device = processes.take_device(choose_device(inputs.recipe.engine.device))
            encoder = encoder_of(inputs.recipe)
            model, _ = build_model(inputs.recipe, encoder, inputs.labels, inputs.dtype, device)
        fit_model(model, inputs, processes, NoCheckpoints(stop), nullcontext(NoRecords()))
