"""fit: the only training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import restore_state, trainable_state
from ranklet.errors import TrainingDivergedError
from ranklet.head import module_device
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.state import RandomNumbers, Stateful, TrainedTensors
from ranklet.training.steps import Indices, Step

Metric = Literal["accuracy", "macro_f1", "loss"]
Record = dict[str, Any]

AddGradients = Callable[[Batch, float | Tensor], Tensor]
"""(batch with labels, its share of the step) -> its share of the loss, a scalar; the gradients of
that share are added to those of the parameters."""


@dataclass(frozen=True)
class FitResult:
    """What came of a training.

    Attributes:
        best_step: Optimizer step whose tensors the model now holds.
        best_metrics: Validation metrics at that step.
        steps: Optimizer steps taken.
        seconds: Wall-clock time, validations included.
        ended_by: `end`, `patience` or `interrupt`.
    """

    best_step: int
    best_metrics: Mapping[str, float]
    steps: int
    seconds: float
    ended_by: Literal["end", "patience", "interrupt"]


@dataclass(frozen=True)
class _Best:
    step: int
    metrics: Mapping[str, float]
    state: Mapping[str, Tensor]


@dataclass(frozen=True)
class _Progress:
    """How far a training has come.

    Attributes:
        taken: Optimizer steps.
        waited: Validations since the best.
        best: The best validation so far.
        seconds: Wall-clock time.
    """

    taken: int = 0
    waited: int = 0
    best: _Best | None = None
    seconds: float = 0.0


def fit(
    model: nn.Module,
    steps: Sequence[Step],
    load_batch: Callable[[Indices], Batch],
    optimizer: torch.optim.Optimizer,
    rate_factor: Callable[[int], float],
    loss: Callable[[Tensor, Tensor], Tensor],
    validate: Callable[[], Mapping[str, float]],
    *,
    metric: Metric = "accuracy",
    patience: int | None = None,
    max_grad_norm: float | None = None,
    scaler: torch.amp.GradScaler | None = None,
    read_every: int = 1,
    capture: Callable[[AddGradients], AddGradients] = lambda eager: eager,
    observe: Callable[[Record], None] = lambda record: None,
    others: Mapping[str, Stateful] = MappingProxyType({}),
    resume: Checkpoint | None = None,
    due: Callable[[Step], bool] = lambda step: False,
    keep: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> FitResult:
    """Train a model and leave it at its best validation.

    A training that goes on from a checkpoint takes the same steps as one that was not interrupted.
    A checkpoint stands between a step and the validation after it, so that an end during a long
    validation loses no more than that validation, which is then done again.

    Args:
        model: Maps a Batch to logits (texts, classes).
        steps: The whole training; a validation follows its last step.
        load_batch: Row indices -> the batch with labels, on the model's device.
        optimizer: Its learning rates are the peaks.
        rate_factor: Factor of the learning rates at an optimizer step, counted from 1.
        loss: (logits, labels) -> mean loss over the texts, a scalar.
        validate: Validation metrics of the model as it is.
        metric: Which of them picks the best moment.
        patience: Validations in a row without a better one before training stops; None: never.
        max_grad_norm: Global gradient norm above which gradients are scaled down; None: never.
        scaler: Scales the loss, so that float16 gradients do not vanish; None: the loss as it is.
        read_every: Steps after which losses are read back and checked. More than 1 keeps a GPU from
            waiting for the program at every step.
        capture: Turns the work on one batch into something faster that does the same.
        observe: Receives every record, in order.
        others: What else changes while training, by name, such as the generator of `load_batch`.
        resume: Where to go on; None: from the start.
        due: Asked after every step whether a checkpoint is wanted.
        keep: Receives the checkpoints that were; their tensors are those that train, so they are to
            be copied at once. What it raises ends the training.

    Returns:
        What came of it. Ctrl-C ends the training early and keeps the best so far.

    Raises:
        TrainingDivergedError: The loss or the gradient of a step is NaN or infinite.
        KeyboardInterrupt: Ctrl-C before the first validation, when there is nothing to keep.
    """
    ended_by: Literal["end", "patience", "interrupt"] = "end"
    peaks = [group["lr"] for group in optimizer.param_groups]
    unread: list[_Taken] = []
    accumulate = capture(partial(add_gradients, model, loss, scaler))
    parts = _parts(model, optimizer, scaler, accumulate, others)
    progress = _Progress() if resume is None else _restore(resume, parts)
    read = time.perf_counter()
    started = read - progress.seconds
    model.train()
    try:
        for step in steps[max(progress.taken - 1, 0) :]:
            if step.number > progress.taken:  # a checkpoint's own step lacks its validation only
                _set_rates(optimizer, peaks, rate_factor(step.number))
                unread.append(
                    _train_step(step, load_batch, accumulate, optimizer, max_grad_norm, scaler)
                )
                seconds = time.perf_counter() - started
                progress = replace(progress, taken=step.number, seconds=seconds)
                wanted = due(step)
                if step.validate or wanted or len(unread) == read_every:
                    _report(unread, read, observe, may_overflow=scaler is not None)
                    unread, read = [], time.perf_counter()
                if wanted:
                    keep(_checkpoint(parts, progress))
            if not step.validate:
                continue
            metrics = validate()
            observe({"kind": "validation", "step": step.number, "epoch": step.epoch, **metrics})
            read = time.perf_counter()
            progress = _judged(progress, metrics, metric, model)
            if progress.waited == patience:
                ended_by = "patience"
                break
    except KeyboardInterrupt:
        if progress.best is None:
            raise
        ended_by = "interrupt"
    best, seconds = progress.best, time.perf_counter() - started
    assert best is not None
    restore_state(model, best.state)
    model.eval()
    return FitResult(best.step, best.metrics, progress.taken, seconds, ended_by)


def _parts(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler | None,
    accumulate: AddGradients,
    others: Mapping[str, Stateful],
) -> dict[str, Stateful]:
    """Name everything that changes while training; random numbers last, nothing draws after."""
    parts: dict[str, Stateful] = {"model": TrainedTensors(model), "optimizer": optimizer, **others}
    if scaler is not None:
        parts["scaler"] = scaler
    if isinstance(accumulate, Stateful):
        parts["accumulate"] = accumulate
    return {**parts, "random": RandomNumbers(module_device(model))}


def _checkpoint(parts: Mapping[str, Stateful], progress: _Progress) -> Checkpoint:
    state = {name: part.state_dict() for name, part in parts.items()}
    best = None if progress.best is None else vars(progress.best)
    return Checkpoint(progress.taken, {**state, "progress": {**vars(progress), "best": best}})


def _restore(checkpoint: Checkpoint, parts: Mapping[str, Stateful]) -> _Progress:
    for name, part in parts.items():
        part.load_state_dict(checkpoint.state[name])
    held = checkpoint.state["progress"]
    return _Progress(**{**held, "best": None if held["best"] is None else _Best(**held["best"])})


def _set_rates(optimizer: torch.optim.Optimizer, peaks: Sequence[float], factor: float) -> None:
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * factor


@dataclass(frozen=True)
class _Taken:
    """A step that was taken; its loss and gradient norm may still be on their way from a GPU."""

    step: Step
    loss: Tensor
    grad_norm: Tensor
    learning_rate: float
    texts: int
    tokens: int


def add_gradients(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    scaler: torch.amp.GradScaler | None,
    batch: Batch,
    share: float | Tensor,
) -> Tensor:
    """Add the gradients of a batch's share of a step's loss to those of the parameters.

    Args:
        model: Maps a Batch to logits (texts, classes).
        loss: (logits, labels) -> mean loss over the texts, a scalar.
        scaler: Scales the loss that gradients are taken of; None: the loss as it is.
        batch: With labels.
        share: The batch's texts as a share of the step's.

    Returns:
        That share of the loss, a scalar float32, not scaled.
    """
    assert batch.labels is not None
    logits = model(batch)[: len(batch.labels)]  # texts behind the labelled ones are no part of it
    own = loss(logits, batch.labels) * share
    scaled = own if scaler is None else scaler.scale(own)
    scaled.backward()  # type: ignore[no-untyped-call]
    return own.detach()


def _train_step(
    step: Step,
    load_batch: Callable[[Indices], Batch],
    accumulate: AddGradients,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float | None,
    scaler: torch.amp.GradScaler | None,
) -> _Taken:
    texts = sum(len(indices) for indices in step.batches)
    shares: list[Tensor] = []
    tokens = 0
    for indices in step.batches:
        batch = load_batch(indices)
        # Weighted by texts, so that accumulated batches of unequal size give the mean of the step.
        shares.append(accumulate(batch, len(indices) / texts))
        tokens += batch.num_tokens
    if scaler is not None:
        scaler.unscale_(optimizer)
    total, norm = torch.stack(shares).sum(), _clip(optimizer, max_grad_norm)
    if scaler is not None:
        scaler.step(optimizer)  # leaves out a step whose gradients overflowed
        scaler.update()
    else:
        if norm.device.type == "cpu":  # nothing to wait for, so the weights are still untouched
            _refuse_divergence(step, float(total), float(norm))
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return _Taken(step, total, norm, optimizer.param_groups[0]["lr"], texts, tokens)


def _clip(optimizer: torch.optim.Optimizer, max_grad_norm: float | None) -> Tensor:
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    limit = float("inf") if max_grad_norm is None else max_grad_norm
    return nn.utils.clip_grad_norm_(parameters, limit)


def _report(
    taken: Sequence[_Taken], since: float, observe: Callable[[Record], None], may_overflow: bool
) -> None:
    """Read losses back, check them and hand out the records of the steps."""
    numbers = torch.stack([torch.stack([one.loss, one.grad_norm]) for one in taken]).tolist()
    texts_per_s = sum(one.texts for one in taken) / (time.perf_counter() - since)
    for one, (loss, norm) in zip(taken, numbers, strict=True):
        _refuse_divergence(one.step, loss, 0.0 if may_overflow else norm)
        observe(
            {
                "kind": "train",
                "step": one.step.number,
                "epoch": one.step.epoch,
                "loss": loss,
                "grad_norm": norm,
                "learning_rate": one.learning_rate,
                "texts": one.texts,
                "tokens": one.tokens,
                "texts_per_s": texts_per_s,
            }
        )


def _refuse_divergence(step: Step, loss: float, norm: float) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    rows = ", ".join(str(row) for row in step.batches[0][:5])
    raise TrainingDivergedError(
        f"training diverged at step {step.number} (epoch {step.epoch:.2f}): loss {loss}, gradient "
        f"norm {norm}; training rows {rows}, ...; lower training.learning_rate or set "
        "training.max_grad_norm",
        step.number,
    )


def _judged(
    progress: _Progress, metrics: Mapping[str, float], metric: Metric, model: nn.Module
) -> _Progress:
    best = progress.best
    if best is not None and not _is_better(metrics, best.metrics, metric):
        return replace(progress, waited=progress.waited + 1)
    return replace(progress, waited=0, best=_Best(progress.taken, metrics, trainable_state(model)))


def _is_better(new: Mapping[str, float], old: Mapping[str, float], metric: Metric) -> bool:
    return new[metric] < old[metric] if metric == "loss" else new[metric] > old[metric]
