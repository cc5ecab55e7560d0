"""What the ranks behind the first do in a training. They read no data and write nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ranklet.data.tokens.corpus import Corpora
from ranklet.encoder.precision import choose_device, prepare_memory
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.recipe import Recipe
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.processes import Ranks
from ranklet.training.steps import Step
from ranklet.workflows._train.signals import StopRequest
from ranklet.workflows.from_recipe.model import build_model


@dataclass(frozen=True, eq=False)
class SharedTraining:
    """What the training loop works on, the same on every rank.

    Rank 0 sends it: the others need the encoder and nothing else on their disks.

    Attributes:
        recipe: With all ranks chosen.
        labels: The classes.
        corpora: The splits by name, tokenized.
        texts: The training texts, cleaned.
        targets: (texts, classes) float32, a teacher's answers about the training texts, or None.
        checkpoint: Where to go on; None: from the start.
        dtype: Compute dtype.
    """

    recipe: Recipe
    labels: LabelSet
    corpora: Corpora
    texts: Sequence[str]
    targets: Tensor | None
    checkpoint: Checkpoint | None
    dtype: torch.dtype


@dataclass(frozen=True)
class NoRecords:
    """In place of `Records`, where another rank keeps them."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Let a record go."""

    def state_dict(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Take nothing."""


@dataclass(frozen=True)
class Assistance:
    """In place of `CheckpointPlan`: this rank ends where all do, and another one writes.

    Attributes:
        stop: A signal asks for the end of the training.
    """

    stop: StopRequest

    def due(self, step: Step, last_step: int) -> bool:
        """Tell whether the training ends after a step."""
        del step, last_step
        return self.stop.signal is not None

    def keep(self, checkpoint: Checkpoint) -> None:
        """End the training.

        Raises:
            TrainingStoppedError: Always.
        """
        self.stop.obey(f" after step {checkpoint.step}")


def assist(ranks: Ranks, stop: StopRequest, fit_model: Callable[..., object]) -> None:
    """Do this rank's share of what rank 0 hands out, until that has ended.

    Args:
        ranks: All of them.
        stop: A signal asks for the end of the training.
        fit_model: The part of a training in which all ranks work.

    Raises:
        TrainingStoppedError: A signal ended the training in order.
        RankLostError: Another rank ended or does not answer.
        RankletError: This machine lacks the encoder, or what computes it.
    """
    while (work := ranks.next_work()) is not None:
        with ranks.apart():
            prepare_memory()
            device = ranks.take_device(choose_device(work.recipe.engine.device))
            encoder = EncoderSource(work.recipe.encoder)
            model, _ = build_model(work.recipe, encoder, work.labels, work.dtype, device)
        fit_model(model, work, ranks, plan=Assistance(stop), opening=nullcontext(NoRecords()))
