"""techniques: from the training section of a recipe to the parts that `fit` takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn
from torch.optim import Optimizer

from ranklet.classifier import TextClassifier
from ranklet.encoder.families import AnyEncoder
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe import TrainingSection
from ranklet.training.averaging import MovingAverage
from ranklet.training.optimizers import build_optimizer
from ranklet.training.schedules import learning_rate_factor


def choose_optimizer(model: TextClassifier, options: TrainingSection) -> Optimizer:
    """Build the optimizer over everything that trains.

    Raises:
        RecipeError: This PyTorch has no such optimizer, or the encoder no layers to decay by.
    """
    return build_optimizer(
        model,
        head=model.head_modules,
        learning_rate=options.learning_rate,
        head_learning_rate=options.head_learning_rate or options.learning_rate,
        weight_decay=options.weight_decay,
        loraplus_lr_ratio=options.loraplus_lr_ratio,
        levels=_levels(model.encoder) if options.layer_lr_decay != 1 else (),
        layer_lr_decay=options.layer_lr_decay,
        name=options.optimizer,
        momentum=options.momentum,
    )


def choose_schedule(options: TrainingSection, total_steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rates as a function of the optimizer step."""
    warmup = options.warmup_steps
    schedule = partial(
        learning_rate_factor,
        schedule=options.schedule,
        warmup_steps=round(options.warmup_ratio * total_steps) if warmup is None else warmup,
        total_steps=total_steps,
    )
    if options.schedule_num_cycles is not None:
        schedule = partial(schedule, num_cycles=options.schedule_num_cycles)
    if options.schedule_power is not None:
        schedule = partial(schedule, power=options.schedule_power)
    return schedule


def choose_average(model: TextClassifier, options: TrainingSection) -> MovingAverage | None:
    """Return the moving average that is validated and saved, or None for what trains itself."""
    return None if options.ema_decay is None else MovingAverage(model, options.ema_decay)


def _levels(encoder: AnyEncoder) -> list[nn.Module]:
    if not encoder.layers:
        problem = f"encoder type {encoder.config.model_type} keeps no list of layers; set it to 1.0"
        raise RecipeError([RecipeIssue("", "training.layer_lr_decay", problem)])
    return [nn.ModuleList(encoder.entrance), *encoder.layers]
