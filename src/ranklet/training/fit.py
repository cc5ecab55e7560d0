"""The only training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
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
from ranklet.training.averaging import MovingAverage, Snapshot, greedy_soup, mean_state
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.losses import BatchLoss, Loss, one_pass
from ranklet.training.processes import ALONE, Ranks
from ranklet.training.state import RandomNumbers, Stateful, TrainedTensors
from ranklet.training.steps import Indices, Step
from ranklet.vocabulary import SelectionMetric

Record = dict[str, Any]

AddGradients = Callable[[Batch, float | Tensor], Tensor]
"""(batch with labels, its share of the step) -> its share of the loss, a scalar; the gradients of
that share are added to those of the parameters."""


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


@dataclass(frozen=True)
class _Progress:
    """How far a training has come.

    Attributes:
        taken: Optimizer steps.
        waited: Validations since the best.
        ranked: The best validations so far, the best first.
        seconds: Wall-clock time.
    """

    taken: int = 0
    waited: int = 0
    ranked: tuple[Snapshot, ...] = ()
    seconds: float = 0.0


def fit(
    model: nn.Module,
    steps: Sequence[Step],
    load_batch: Callable[[Indices], Batch],
    optimizer: torch.optim.Optimizer,
    rate_factor: Callable[[int], float],
    loss: Loss,
    validate: Callable[[], Mapping[str, float]],
    *,
    batch_loss: BatchLoss = one_pass,
    metric: SelectionMetric = "accuracy",
    patience: int | None = None,
    max_grad_norm: float | None = None,
    scaler: torch.amp.GradScaler | None = None,
    average: MovingAverage | None = None,
    soup: int = 1,
    before_step: Callable[[int], None] = lambda step: None,
    change_gradients: Callable[[int], None] = lambda step: None,
    read_every: int = 1,
    capture: Callable[[AddGradients], AddGradients] = lambda eager: eager,
    observe: Callable[[Record], None] = lambda record: None,
    others: Mapping[str, Stateful] = MappingProxyType({}),
    ranks: Ranks = ALONE,
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
        batch_loss: What is done with the loss for a batch; `one_pass`: nothing else.
        metric: Which of them picks the best moment.
        patience: Validations in a row without a better one before training stops; None: never.
        max_grad_norm: Global gradient norm above which gradients are scaled down; None: never.
        scaler: Scales the loss, so that float16 gradients do not vanish; None: the loss as it is.
        average: Is validated and kept in place of the tensors that train; None: those themselves.
        soup: Best validations whose tensors are averaged in the end, where that is better still.
        before_step: Receives the number of each optimizer step before its first batch.
        change_gradients: Receives it after clipping, before the optimizer reads the gradients.
        read_every: Steps after which losses are read back and checked. More than 1 keeps a GPU from
            waiting for the program at every step.
        capture: Turns the work on one batch into something faster that does the same.
        observe: Receives every record, in order.
        others: What else changes while training, by name, such as the generator of `load_batch`.
        ranks: The processes that share the rows of every batch; each makes this same call.
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
    unread: list[_StepResult] = []
    accumulate = capture(partial(add_gradients, model, loss, scaler, batch_loss=batch_loss))
    parts = _parts(model, optimizer, scaler, average, accumulate, others)
    progress = _restored(resume, parts)
    read = time.perf_counter()
    started = read - progress.seconds
    model.train()
    try:
        for step in steps[max(progress.taken - 1, 0) :]:
            if step.number > progress.taken:  # a checkpoint's own step lacks its validation only
                _set_rates(optimizer, peaks, rate_factor(step.number))
                before_step(step.number)
                unread.append(
                    _train_step(
                        step,
                        load_batch,
                        accumulate,
                        optimizer,
                        max_grad_norm,
                        change_gradients,
                        scaler,
                        ranks,
                    )
                )
                _update(average, step.number)
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
            found = _validated(model, average, validate, step.number)
            observe(
                {"kind": "validation", "step": found.step, "epoch": step.epoch, **found.metrics}
            )
            read = time.perf_counter()
            progress = _judged(progress, found, metric, soup)
            if progress.waited == patience:
                ended_by = "patience"
                break
    except KeyboardInterrupt:
        if not progress.ranked:
            raise
        ended_by = "interrupt"
    is_better = partial(_is_better, metric=metric)
    metrics, chosen = greedy_soup(model, progress.ranked, validate, is_better)
    restore_state(model, mean_state(chosen))
    model.eval()
    seconds = time.perf_counter() - started
    if len(chosen) == 1:
        return FitResult(chosen[0].step, metrics, progress.taken, seconds, ended_by)
    taken, epoch = progress.taken, steps[progress.taken - 1].epoch
    observe({"kind": "validation", "step": taken, "epoch": epoch, **metrics})
    averaged = tuple(each.step for each in chosen)
    return FitResult(taken, metrics, taken, seconds, ended_by, averaged)


def _parts(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler | None,
    average: MovingAverage | None,
    accumulate: AddGradients,
    others: Mapping[str, Stateful],
) -> dict[str, Stateful]:
    """Name everything that changes while training; random numbers last, nothing draws after."""
    parts: dict[str, Stateful] = {"model": TrainedTensors(model), "optimizer": optimizer, **others}
    if scaler is not None:
        parts["scaler"] = scaler
    if average is not None:
        parts["average"] = average
    if isinstance(accumulate, Stateful):
        parts["accumulate"] = accumulate
    return {**parts, "random": RandomNumbers(module_device(model))}


def _checkpoint(parts: Mapping[str, Stateful], progress: _Progress) -> Checkpoint:
    state = {name: part.state_dict() for name, part in parts.items()}
    ranked = [vars(kept) for kept in progress.ranked]
    return Checkpoint(progress.taken, {**state, "progress": {**vars(progress), "ranked": ranked}})


def _restored(checkpoint: Checkpoint | None, parts: Mapping[str, Stateful]) -> _Progress:
    if checkpoint is None:
        return _Progress()
    for name, part in parts.items():
        part.load_state_dict(checkpoint.state[name])
    held = checkpoint.state["progress"]
    return _Progress(**{**held, "ranked": tuple(Snapshot(**kept) for kept in held["ranked"])})


def _set_rates(optimizer: torch.optim.Optimizer, peaks: Sequence[float], factor: float) -> None:
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * factor


@dataclass(frozen=True)
class _StepResult:
    """A step that was taken; its loss and gradient norm may still be on their way from a GPU."""

    step: Step
    loss: Tensor
    grad_norm: Tensor
    learning_rate: float
    texts: int
    tokens: int | Tensor
    padded_tokens: int | Tensor


def add_gradients(
    model: nn.Module,
    loss: Loss,
    scaler: torch.amp.GradScaler | None,
    batch: Batch,
    share: float | Tensor,
    *,
    batch_loss: BatchLoss = one_pass,
) -> Tensor:
    """Add the gradients of a batch's share of a step's loss to those of the parameters.

    Args:
        model: Maps a Batch to logits (texts, classes).
        loss: (logits, labels) -> mean loss over the texts, a scalar.
        scaler: Scales the loss that gradients are taken of; None: the loss as it is.
        batch: With labels.
        share: The batch's texts as a share of the step's.
        batch_loss: What is done with the loss for a batch.

    Returns:
        That share of the loss, a scalar float32, not scaled.
    """
    own = batch_loss(model, loss, batch) * share
    scaled = own if scaler is None else scaler.scale(own)
    scaled.backward()  # type: ignore[no-untyped-call]
    return own.detach()


def _train_step(
    step: Step,
    load_batch: Callable[[Indices], Batch],
    accumulate: AddGradients,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float | None,
    change_gradients: Callable[[int], None],
    scaler: torch.amp.GradScaler | None,
    ranks: Ranks,
) -> _StepResult:
    texts = sum(len(indices) for indices in step.batches)
    shares: list[Tensor] = []
    tokens = padded = 0
    for indices in map(ranks.part, step.batches):
        if len(indices) == 0:
            continue  # fewer texts than ranks
        batch = load_batch(indices)
        # Weighted by texts, so that accumulated batches of unequal size, and the parts that several
        # ranks have of one, give the mean of the step.
        shares.append(accumulate(batch, len(indices) / texts))
        tokens += batch.num_tokens
        padded += batch.num_texts * batch.max_seqlen
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    own = torch.stack(shares).sum() if shares else parameters[0].new_zeros(())
    total, (all_tokens, all_padded) = ranks.add_up(parameters, own, (tokens, padded))
    if scaler is not None:
        scaler.unscale_(optimizer)
    norm = _clip(parameters, max_grad_norm)
    change_gradients(step.number)
    if scaler is not None:
        scaler.step(optimizer)  # leaves out a step whose gradients overflowed
        scaler.update()
    else:
        if norm.device.type == "cpu":  # nothing to wait for, so the weights are still untouched
            _refuse_divergence(step, float(total), float(norm))
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    rate = optimizer.param_groups[0]["lr"]
    return _StepResult(step, total, norm, rate, texts, all_tokens, all_padded)


def _clip(parameters: Sequence[Tensor], max_grad_norm: float | None) -> Tensor:
    limit = float("inf") if max_grad_norm is None else max_grad_norm
    return nn.utils.clip_grad_norm_(parameters, limit)


def _report(
    taken: Sequence[_StepResult],
    since: float,
    observe: Callable[[Record], None],
    may_overflow: bool,
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
                "tokens": int(one.tokens),
                "padding": float(1 - one.tokens / one.padded_tokens),
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


def _update(average: MovingAverage | None, step: int) -> None:
    if average is not None:
        average.update(step)


def _validated(
    model: nn.Module,
    average: MovingAverage | None,
    validate: Callable[[], Mapping[str, float]],
    step: int,
) -> Snapshot:
    with nullcontext() if average is None else average.in_model():
        return Snapshot(step, validate(), trainable_state(model))


def _judged(progress: _Progress, new: Snapshot, metric: SelectionMetric, soup: int) -> _Progress:
    """Sort the best first; of equal ones the first stays first."""
    ahead = [one for one in progress.ranked if not _is_better(new.metrics, one.metrics, metric)]
    ranked = (*ahead, new, *progress.ranked[len(ahead) :])[:soup]
    return replace(progress, ranked=ranked, waited=progress.waited + 1 if ahead else 0)


def _is_better(new: Mapping[str, float], old: Mapping[str, float], metric: SelectionMetric) -> bool:
    return new[metric] < old[metric] if metric == "loss" else new[metric] > old[metric]
