"""fit: the only training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import restore_state, trainable_state
from ranklet.errors import TrainingDivergedError
from ranklet.training.steps import Indices, Step

Metric = Literal["accuracy", "macro_f1", "loss"]
Record = dict[str, Any]


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
    observe: Callable[[Record], None] = lambda record: None,
) -> FitResult:
    """Train a model and leave it at its best validation.

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
        observe: Receives every record, in order.

    Returns:
        What came of it. Ctrl-C ends the training early and keeps the best so far.

    Raises:
        TrainingDivergedError: The loss or the gradient of a step is NaN or infinite.
        KeyboardInterrupt: Ctrl-C before the first validation, when there is nothing to keep.
    """
    best: _Best | None = None
    waited, taken = 0, 0
    ended_by: Literal["end", "patience", "interrupt"] = "end"
    peaks = [group["lr"] for group in optimizer.param_groups]
    started = time.perf_counter()
    model.train()
    try:
        for step in steps:
            _set_rates(optimizer, peaks, rate_factor(step.number))
            observe(_train_step(model, step, load_batch, optimizer, loss, max_grad_norm))
            taken = step.number
            if not step.validate:
                continue
            metrics = validate()
            observe({"kind": "validation", "step": taken, "epoch": step.epoch, **metrics})
            better = best is None or _is_better(metrics, best.metrics, metric)
            waited = 0 if better else waited + 1
            if better:
                best = _Best(taken, metrics, trainable_state(model))
            if waited == patience:
                ended_by = "patience"
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        ended_by = "interrupt"
    assert best is not None
    restore_state(model, best.state)
    model.eval()
    return FitResult(best.step, best.metrics, taken, time.perf_counter() - started, ended_by)


def _set_rates(optimizer: torch.optim.Optimizer, peaks: Sequence[float], factor: float) -> None:
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * factor


def _train_step(
    model: nn.Module,
    step: Step,
    load_batch: Callable[[Indices], Batch],
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    max_grad_norm: float | None,
) -> Record:
    started = time.perf_counter()
    texts = sum(len(indices) for indices in step.batches)
    total, tokens = 0.0, 0
    for indices in step.batches:
        batch = load_batch(indices)
        assert batch.labels is not None
        # Weighted by texts, so that accumulated batches of unequal size give the mean of the step.
        share = loss(model(batch), batch.labels) * (len(indices) / texts)
        share.backward()  # type: ignore[no-untyped-call]
        total, tokens = total + float(share.detach()), tokens + batch.num_tokens
    norm = _clip(optimizer, max_grad_norm)
    _refuse_divergence(step, total, norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - started
    return {
        "kind": "train",
        "step": step.number,
        "epoch": step.epoch,
        "loss": total,
        "grad_norm": norm,
        "learning_rate": optimizer.param_groups[0]["lr"],
        "texts": texts,
        "tokens": tokens,
        "texts_per_s": texts / seconds,
    }


def _clip(optimizer: torch.optim.Optimizer, max_grad_norm: float | None) -> float:
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    limit = float("inf") if max_grad_norm is None else max_grad_norm
    return float(nn.utils.clip_grad_norm_(parameters, limit))


def _refuse_divergence(step: Step, loss: float, norm: float) -> None:
    if torch.isfinite(torch.tensor([loss, norm])).all():
        return
    rows = ", ".join(str(row) for row in step.batches[0][:5])
    raise TrainingDivergedError(
        f"training diverged at step {step.number} (epoch {step.epoch:.2f}): loss {loss}, gradient "
        f"norm {norm}; training rows {rows}, ...; lower training.learning_rate or set "
        "training.max_grad_norm",
        step.number,
    )


def _is_better(new: Mapping[str, float], old: Mapping[str, float], metric: Metric) -> bool:
    return new[metric] < old[metric] if metric == "loss" else new[metric] > old[metric]
