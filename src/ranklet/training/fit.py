"""The only training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from ranklet.batch import Batch
from ranklet.training.continuation import (
    FROM_START,
    Continuation,
    changing_parts,
    checkpoint_of,
    restored,
)
from ranklet.training.optimizer_step import NO_HOOKS, Objective, StepHooks, add_gradients, take_step
from ranklet.training.processes import ALONE, Processes
from ranklet.training.records import Record, StepRecords
from ranklet.training.selection import Selection
from ranklet.training.steps import Indices, Step


@dataclass(frozen=True)
class FitResult:
    """What came of a training.

    Attributes:
        best_step: Optimizer step whose tensors the model now holds; the last one where it holds the
            mean of those of several.
        best_metrics: Validation metrics of what it holds.
        steps: Optimizer steps taken.
        seconds: Wall-clock time, validations included.
        ended_by: `end`, `patience` or `interrupt`.
        averaged_steps: Steps whose tensors the mean is of; empty where there is none.
    """

    best_step: int
    best_metrics: Mapping[str, float]
    steps: int
    seconds: float
    ended_by: Literal["end", "patience", "interrupt"]
    averaged_steps: tuple[int, ...] = ()


def fit(
    model: nn.Module,
    steps: Sequence[Step],
    load_batch: Callable[[Indices], Batch],
    objective: Objective,
    selection: Selection,
    hooks: StepHooks = NO_HOOKS,
    continuation: Continuation = FROM_START,
    processes: Processes = ALONE,
) -> FitResult:
    """Train a model and leave it at its best validation.

    A training that goes on from a checkpoint takes the same steps as one that was not interrupted.
    A checkpoint stands between a step and the validation after it, so that an end during a long
    validation loses no more than that validation, which is then done again.

    The model maps a Batch to logits (texts, classes); `load_batch` maps row indices to a batch with
    labels on its device. All processes make this same call.

    Returns:
        What came of it. Ctrl-C ends the training early and keeps the best so far.

    Raises:
        TrainingDivergedError: The loss or the gradient of a step is NaN or infinite.
        KeyboardInterrupt: Ctrl-C before the first validation, when there is nothing to keep.
    """
    ended_by: Literal["end", "patience", "interrupt"] = "end"
    work = partial(
        add_gradients, model, objective.loss, objective.scaler, batch_loss=objective.batch_loss
    )
    accumulate = hooks.capture(work)
    records = StepRecords(hooks.record, hooks.read_every, objective.scaler is not None)
    peaks = objective.learning_rates()  # before a checkpoint brings those of its step
    parts = changing_parts(model, objective, selection, accumulate, continuation.others)
    progress = restored(continuation, parts, selection)
    started = time.perf_counter() - progress.seconds
    model.train()
    try:
        for step in steps[max(progress.steps - 1, 0) :]:
            if step.number > progress.steps:  # a checkpoint's own step lacks its validation only
                # The step
                objective.set_learning_rates(peaks, step.number)
                hooks.before_step(step.number)
                outcome = take_step(
                    step, load_batch, accumulate, objective, hooks.change_gradients, processes
                )
                selection.update_average(step.number)
                seconds = time.perf_counter() - started
                progress = replace(progress, steps=step.number, seconds=seconds)

                # Its record and its checkpoint
                checkpoint_due = continuation.due(step)
                records.add(outcome, read=step.validate or checkpoint_due)
                if checkpoint_due:
                    continuation.keep(checkpoint_of(parts, progress))

            # Validation
            if step.validate:
                snapshot = selection.snapshot(model, step.number)
                hooks.record(validation_record(step.number, step.epoch, snapshot.metrics))
                records.start_clock()
                progress = progress.after_validation(snapshot, selection)
                if progress.since_best == selection.patience:
                    ended_by = "patience"
                    break
    except KeyboardInterrupt:
        if not progress.best:
            raise
        ended_by = "interrupt"

    # The best moment, or the mean of the best ones
    metrics, moments = selection.restore(model, progress.best)
    model.eval()
    averaged_steps = tuple(moment.step for moment in moments) if len(moments) > 1 else ()
    if averaged_steps:
        hooks.record(validation_record(progress.steps, step.epoch, metrics))
    return FitResult(
        best_step=moments[0].step if len(moments) == 1 else progress.steps,
        best_metrics=metrics,
        steps=progress.steps,
        seconds=time.perf_counter() - started,
        ended_by=ended_by,
        averaged_steps=averaged_steps,
    )


def validation_record(step: int, epoch: float, metrics: Mapping[str, float]) -> Record:
    """Return what is kept of a validation after a step, 0 before the first."""
    return {"kind": "validation", "step": step, "epoch": epoch, **metrics}
