"""From the training section of a recipe to the values that `fit` takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

import torch
from torch import nn
from torch.optim import Optimizer

from ranklet.classifier import ClassifierNetwork
from ranklet.data.perturbations import TextNoise
from ranklet.data.texts import Text
from ranklet.data.tokens.corpus import Corpus, TokenCorpus, text_labels
from ranklet.data.tokens.noisy_corpus import NoisyCorpus
from ranklet.encoder.families import AnyEncoder
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.head import module_device
from ranklet.labels import LabelSet
from ranklet.recipe import DistillationSection, Recipe, TrainingSection
from ranklet.saved.probes import compute_dtype
from ranklet.training.label_set_losses import (
    balanced_positive_weights,
    binary_cross_entropy,
    binary_focal,
)
from ranklet.training.losses import (
    BatchLoss,
    Loss,
    balanced_weights,
    bootstrapping,
    cross_entropy,
    distilled,
    focal,
    generalized_cross_entropy,
    one_pass,
    r_drop,
)
from ranklet.training.optimizer_step import Objective, loss_scaler
from ranklet.training.optimizers import LayerDecay, build_optimizer
from ranklet.training.schedules import dropout_factor, learning_rate_factor
from ranklet.training.selection import Selection
from ranklet.training.snapshots import Metrics
from ranklet.training.steps import MOST_STEPS
from ranklet.training.techniques.averaging import MovingAverage
from ranklet.training.techniques.noise import gradient_noise, scheduled_dropout
from ranklet.vocabulary import ProblemType


def choose_optimizer(model: ClassifierNetwork, options: TrainingSection) -> Optimizer:
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
        layer_decay=_layer_decay(model.encoder, options.layer_lr_decay),
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


def check_class_weights(options: TrainingSection, labels: LabelSet) -> None:
    """Refuse weights of labels that there are not.

    Raises:
        RecipeError: A label is unknown.
    """
    if isinstance(options.class_weights, dict):
        unknown = [name for name in options.class_weights if name not in labels.names]
        if unknown:
            message = f"{unknown[0]!r} is no label; allowed: {', '.join(labels.names)}"
            raise RecipeError([RecipeIssue("", "training.class_weights", message)])


def check_steps(options: TrainingSection, texts: int) -> None:
    """Refuse a training of more steps than are planned.

    Args:
        options: The training section.
        texts: Training texts; each has two tokens at least.

    Raises:
        RecipeError: There are more.
    """
    if options.batch_tokens is None:
        batches = ceil(texts / options.batch_size)
    else:
        batches = ceil(2 * texts / options.batch_tokens)
    steps = options.epochs * ceil(batches / options.gradient_accumulation_steps)
    if min(steps, options.max_steps or steps) > MOST_STEPS:
        message = (
            f"{options.epochs:,} epochs of {texts:,} texts are at least {steps:,} optimizer steps, "
            f"of at most {MOST_STEPS:,}; lower it, or set training.max_steps"
        )
        raise RecipeError([RecipeIssue("", "training.epochs", message)])


def choose_loss(
    options: TrainingSection,
    labels: LabelSet,
    corpus: Corpus,
    device: torch.device,
    problem_type: ProblemType = "single_label_classification",
) -> Loss:
    """Build the loss.

    Args:
        options: The training section.
        labels: The classes.
        corpus: Training texts, whose labels `balanced` counts.
        device: Where the logits are.
        problem_type: Whether a text has one label or any number of them.
    """
    weights = _class_weights(options, labels, corpus)
    weights = None if weights is None else weights.to(device)
    gamma = 2.0 if options.focal_gamma is None else options.focal_gamma
    if problem_type == "multi_label_classification":
        if options.loss == "focal":
            return binary_focal(gamma, weights)
        return binary_cross_entropy(options.label_smoothing, weights)
    beta = options.bootstrap_beta
    match options.loss:
        case "cross_entropy":
            return cross_entropy(options.label_smoothing, weights)
        case "focal":
            return focal(gamma, weights)
        case "generalized_cross_entropy":
            return generalized_cross_entropy(options.gce_q or 0.7, weights)
        case "soft_bootstrapping":
            return bootstrapping(beta or 0.95, hard=False, class_weights=weights)
        case "hard_bootstrapping":
            return bootstrapping(beta or 0.8, hard=True, class_weights=weights)


def objective_of(
    model: ClassifierNetwork, optimizer: Optimizer, recipe: Recipe, corpus: Corpus, total_steps: int
) -> Objective:
    """Return what a training minimises, and how.

    Args:
        model: On its device, in its dtype.
        optimizer: Over everything that trains.
        recipe: With its training section.
        corpus: Training texts, whose labels class weights may count.
        total_steps: Optimizer steps of the whole training.
    """
    options, device = recipe.training, module_device(model)
    return Objective(
        loss=choose_loss(options, model.labels, corpus, device, recipe.data.problem_type),
        optimizer=optimizer,
        schedule=choose_schedule(options, total_steps),
        batch_loss=_batch_loss(options, recipe.distillation),
        max_grad_norm=options.max_grad_norm,
        scaler=loss_scaler(compute_dtype(model), device),
    )


def selection_of(
    model: ClassifierNetwork,
    options: TrainingSection,
    validate: Callable[[], Metrics],
    texts: int,
) -> Selection:
    """Return how the best moment of a training is found.

    Args:
        model: Whose average starts at its tensors as they are.
        options: The training section.
        validate: Validation metrics of the model as it is.
        texts: Validation texts.
    """
    decay = options.ema_decay
    return Selection(
        validate,
        metric=options.metric,
        texts=texts,
        patience=options.early_stopping_patience,
        soup=options.soup or 1,
        average=None if decay is None else MovingAverage(model, decay),
    )


def choose_dropout(
    model: ClassifierNetwork, options: TrainingSection, total_steps: int
) -> Callable[[int], None]:
    """Return what sets the dropouts of a model before an optimizer step."""
    if options.dropout_schedule == "constant":
        return lambda step: None
    factor = partial(dropout_factor, schedule=options.dropout_schedule, total_steps=total_steps)
    return scheduled_dropout(model, factor)


def choose_text_noise(
    model: ClassifierNetwork, corpus: TokenCorpus, texts: Sequence[Text], recipe: Recipe
) -> NoisyCorpus | None:
    """Return the training texts as they change from step to step; None where they do not.

    Args:
        model: With its preprocessing.
        corpus: The training texts as they are.
        texts: The same as text.
        recipe: With the augmentation.
    """
    noise = TextNoise(**recipe.augmentation.model_dump())
    if not noise.is_on:
        return None
    preprocessing = model.preprocessing
    assert preprocessing is not None
    return NoisyCorpus(
        corpus,
        texts,
        noise,
        preprocessing.tokenizer,
        preprocessing.max_length,
        preprocessing.long_texts,
        recipe.seed,
    )


def choose_gradient_noise(
    optimizer: Optimizer, options: TrainingSection, seed: int
) -> Callable[[int], None]:
    """Return what changes the gradients before the optimizer reads them."""
    if options.gradient_noise is None:
        return lambda step: None
    return gradient_noise(optimizer, options.gradient_noise, seed)


def _batch_loss(options: TrainingSection, distillation: DistillationSection) -> BatchLoss:
    if distillation.teacher is not None:
        return distilled(distillation.weight, distillation.temperature)
    return one_pass if options.r_drop is None else r_drop(options.r_drop)


def _class_weights(
    options: TrainingSection, labels: LabelSet, corpus: Corpus
) -> torch.Tensor | None:
    weights = options.class_weights
    if weights == "none":
        return None
    if weights == "balanced":
        of_texts = text_labels(corpus)
        if of_texts.ndim == 2:
            return balanced_positive_weights(of_texts)
        return balanced_weights(of_texts, len(labels))
    return torch.tensor([weights.get(name, 1.0) for name in labels.names])


def _layer_decay(encoder: AnyEncoder, factor: float) -> LayerDecay | None:
    if factor == 1:
        return None
    if not encoder.layers:
        message = f"encoder type {encoder.config.model_type} keeps no list of layers; set it to 1.0"
        raise RecipeError([RecipeIssue("", "training.layer_lr_decay", message)])
    return LayerDecay([nn.ModuleList(encoder.entrance), *encoder.layers], factor)
