"""How a training goes on from a checkpoint with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from torch import nn

from ranklet.head import module_device
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.optimizer_step import AddGradients, Objective
from ranklet.training.selection import Best, Selection
from ranklet.training.snapshots import Snapshot
from ranklet.training.state import RandomNumbers, Stateful, TrainedTensors
from ranklet.training.steps import Step


@dataclass(frozen=True)
class Continuation:
    """Where a training begins, and what is kept so that it can go on.

    Attributes:
        resume: Where to go on; None: from the start.
        due: Asked after every step whether a checkpoint is wanted.
        keep: Receives the checkpoints that are; their tensors are those that train, so they are to
            be copied at once. What it raises ends the training.
        known: Moments before the first step that are to be beaten, where it begins at the start.
        others: What else changes while training, by name, such as the generator of the batches.
    """

    resume: Checkpoint | None = None
    due: Callable[[Step], bool] = lambda step: False
    keep: Callable[[Checkpoint], None] = lambda checkpoint: None
    known: Sequence[Snapshot] = ()
    others: Mapping[str, Stateful] = field(default_factory=dict)


FROM_START = Continuation()


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        steps: Optimizer steps taken.
        seconds: Wall-clock time.
        best: The best validations so far, the best first.
        since_best: Validations since the best.
    """

    steps: int = 0
    seconds: float = 0.0
    best: Best = ()
    since_best: int = 0

    def after_validation(self, snapshot: Snapshot, selection: Selection) -> Progress:
        """Return the progress after one more validation."""
        best = selection.insert(self.best, snapshot)
        since_best = 0 if best[0] is snapshot else self.since_best + 1
        return replace(self, best=best, since_best=since_best)


def changing_parts(
    model: nn.Module,
    objective: Objective,
    selection: Selection,
    accumulate: AddGradients,
    others: Mapping[str, Stateful],
) -> dict[str, Stateful]:
    """Name everything that changes while training; random numbers last, nothing draws after."""
    optional = {
        "scaler": objective.scaler,
        "average": selection.average,
        "accumulate": accumulate if isinstance(accumulate, Stateful) else None,
    }
    return {
        "model": TrainedTensors(model),
        "optimizer": objective.optimizer,
        **others,
        **{name: part for name, part in optional.items() if part is not None},
        "random": RandomNumbers(module_device(model)),
    }


def checkpoint_of(parts: Mapping[str, Stateful], progress: Progress) -> Checkpoint:
    """Return the state of all parts, not copied."""
    state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    best = [vars(snapshot) for snapshot in progress.best]
    return Checkpoint(progress.steps, {**state, "progress": {**vars(progress), "best": best}})


def restored(
    continuation: Continuation, parts: Mapping[str, Stateful], selection: Selection
) -> Progress:
    """Give all parts the state of a checkpoint, if there is one, and return how far it was."""
    checkpoint = continuation.resume
    if checkpoint is None:
        return Progress(best=reduce(selection.insert, continuation.known, ()))
    for name, part in parts.items():
        part.load_state_dict(checkpoint.state[name])
    progress = checkpoint.state["progress"]
    best = tuple(Snapshot(**snapshot) for snapshot in progress["best"])
    return Progress(**{**progress, "best": best})
