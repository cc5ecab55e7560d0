"""One optimizer step: what it minimises, how, and who may have a hand in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.training.losses import BatchLoss, Loss, one_pass
from ranklet.training.processes import Processes
from ranklet.training.records import Record, StepOutcome, refuse_divergence
from ranklet.training.steps import Indices, Step

AddGradients = Callable[[Batch, float | Tensor], Tensor]
"""(batch with labels, its share of the step) -> its share of the loss, a scalar; the gradients of
that share are added to those of the parameters."""


@dataclass(frozen=True)
class Objective:
    """What a training minimises, and how.

    Attributes:
        loss: (logits, labels) -> mean loss over the texts, a scalar.
        optimizer: Its learning rates are the peaks.
        schedule: Optimizer step, counted from 1 -> factor of the learning rates.
        batch_loss: What is done with the loss for a batch; `one_pass`: nothing else.
        max_grad_norm: Global gradient norm above which gradients are scaled down; None: never.
        scaler: Scales the loss, so that float16 gradients do not vanish; None: the loss as it is.
    """

    loss: Loss
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float] = lambda step: 1.0
    batch_loss: BatchLoss = one_pass
    max_grad_norm: float | None = None
    scaler: torch.amp.GradScaler | None = None

    @property
    def parameters(self) -> list[Tensor]:
        """Everything that the optimizer changes."""
        return [tensor for group in self.optimizer.param_groups for tensor in group["params"]]

    def learning_rates(self) -> list[float]:
        """Return the learning rate of each group of parameters."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def set_learning_rates(self, peaks: Sequence[float], step: int) -> None:
        """Set the learning rates of a step, counted from 1."""
        factor = self.schedule(step)
        for group, peak in zip(self.optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor


@dataclass(frozen=True)
class StepHooks:
    """Who is called in the course of a training, in this order.

    Attributes:
        capture: Before the first step: turns the work on a batch into something faster that does
            the same.
        before_step: Receives the number of each optimizer step before its first batch.
        change_gradients: Receives it after clipping, before the optimizer reads the gradients.
        record: Receives the records of steps and of validations.
        read_every: Steps after which losses are read back, checked and recorded. More than 1 keeps
            a GPU from waiting for the program at every step.
    """

    capture: Callable[[AddGradients], AddGradients] = lambda eager: eager
    before_step: Callable[[int], None] = lambda step: None
    change_gradients: Callable[[int], None] = lambda step: None
    record: Callable[[Record], None] = lambda record: None
    read_every: int = 1


NO_HOOKS = StepHooks()


def loss_scaler(dtype: torch.dtype, device: torch.device) -> torch.amp.GradScaler | None:
    """Return what scales the loss of a compute dtype; None where it needs no scaling.

    Micikevicius et al. 2018 (arXiv:1710.03740), section 3.2: float16 loses small gradients.
    """
    return torch.amp.GradScaler(device.type) if dtype == torch.float16 else None


def take_step(
    step: Step,
    load_batch: Callable[[Indices], Batch],
    accumulate: AddGradients,
    objective: Objective,
    change_gradients: Callable[[int], None],
    processes: Processes,
) -> StepOutcome:
    """Take one optimizer step.

    Raises:
        TrainingDivergedError: Loss or gradient is NaN or infinite, as far as that is known without
            waiting for a GPU; the weights are untouched.
        ProcessLostError: Another process does not answer.
    """
    optimizer, scaler, parameters = objective.optimizer, objective.scaler, objective.parameters

    # Batches: each adds its gradients.
    texts = sum(len(indices) for indices in step.batches)
    shares: list[Tensor] = []
    tokens = padded = 0
    for indices in map(processes.part, step.batches):
        if len(indices) == 0:
            continue  # fewer texts than processes
        batch = load_batch(indices)
        # Weighted by texts, so that accumulated batches of unequal size, and the parts that several
        # processes have of one, give the mean of the step.
        shares.append(accumulate(batch, len(indices) / texts))
        tokens += batch.num_tokens
        padded += batch.num_texts * batch.max_seqlen

    # Gradients: of all processes, not scaled, clipped.
    own = torch.stack(shares).sum() if shares else parameters[0].new_zeros(())
    loss, (all_tokens, all_padded) = processes.add_up(parameters, own, (tokens, padded))
    if scaler is not None:
        scaler.unscale_(optimizer)
    norm = _clip(parameters, objective.max_grad_norm)
    change_gradients(step.number)

    # Weights.
    if scaler is not None:
        scaler.step(optimizer)  # leaves out a step whose gradients overflowed
        scaler.update()
    else:
        if norm.device.type == "cpu":  # nothing to wait for, so the weights are still untouched
            refuse_divergence(step, float(loss), float(norm))
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    rate = optimizer.param_groups[0]["lr"]
    return StepOutcome(step, loss, norm, rate, texts, all_tokens, all_padded)


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

    Model, loss, scaler and `batch_loss` are those of `fit` and `Objective`; the batch has labels.

    Returns:
        That share of the loss, a scalar float32, not scaled.
    """
    own = batch_loss(model, loss, batch) * share
    scaled = own if scaler is None else scaler.scale(own)
    scaled.backward()  # type: ignore[no-untyped-call]
    return own.detach()


def _clip(parameters: Sequence[Tensor], max_grad_norm: float | None) -> Tensor:
    limit = float("inf") if max_grad_norm is None else max_grad_norm
    return nn.utils.clip_grad_norm_(parameters, limit)
