"""The part of a training in which the model learns, alike on every process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.batching import Indices, epoch_batches
from ranklet.data.tokens.corpus import Corpus, CorpusPart, TokenCorpus, text_labels
from ranklet.data.tokens.noisy_corpus import NoisyCorpus
from ranklet.data.tokens.sampling import draw_texts, windows_of
from ranklet.data.tokens.token_dropout import drop_tokens
from ranklet.encoder.layers import NativeEncoder
from ranklet.evaluation.problem_metrics import validation_metrics
from ranklet.head import module_device
from ranklet.recipe import Recipe
from ranklet.run.observer import Observer
from ranklet.run.records import Records
from ranklet.training.continuation import Continuation
from ranklet.training.fit import FitResult, fit, validation_record
from ranklet.training.optimizer_step import StepHooks
from ranklet.training.processes import Processes
from ranklet.training.records import Record
from ranklet.training.resident_corpus import resident
from ranklet.training.snapshots import Metrics
from ranklet.training.state import OwnGenerator
from ranklet.training.steps import Step, training_steps, unvalidated
from ranklet.training.techniques.noise import drop_in_encoder
from ranklet.workflows._train.cuda_graphs import capture_steps
from ranklet.workflows._train.frozen_layers import skip_frozen_layers
from ranklet.workflows._train.other_processes import NoCheckpoints, NoRecords, TrainingInputs
from ranklet.workflows._train.resume import CheckpointSchedule
from ranklet.workflows._train.teachers import with_targets
from ranklet.workflows.from_recipe.fit_arguments import (
    choose_dropout,
    choose_gradient_noise,
    choose_optimizer,
    choose_text_noise,
    objective_of,
    selection_of,
)

Value = TypeVar("Value")

# A GPU runs ahead of the program by this many steps before a loss is read back.
STEPS_BETWEEN_READS = 50


def fit_model(
    model: ClassifierNetwork,
    inputs: TrainingInputs,
    processes: Processes,
    checkpoints: CheckpointSchedule | NoCheckpoints,
    opening: AbstractContextManager[Records | NoRecords],
    observer: Observer,
) -> FitResult:
    """Train a model as a recipe says and leave it at its best validation.

    Args:
        model: With its adapters, at their start.
        inputs: Recipe, texts and where to go on.
        processes: Those that share the rows of every batch; each makes this same call.
        checkpoints: When one is due, and what is done with it.
        opening: Keeps the records while it is open.
        observer: Is told what happens.

    Raises:
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: A signal ended the training in order.
        ProcessLostError: Another process ended or does not answer.
    """
    recipe, options, device = inputs.recipe, inputs.recipe.training, module_device(model)
    total, steps = _steps_of(inputs)

    # Optimizer and loss
    optimizer = choose_optimizer(model, options)
    objective = objective_of(model, optimizer, recipe, inputs.corpora["train"], total)
    _drop_in_encoder(model, recipe, observer.report)

    # Texts
    noisy = choose_text_noise(model, inputs.corpora["train"], inputs.texts, recipe)
    train, validation = _prepared_texts(model, inputs, steps, processes, observer.report, noisy)
    processes.align([tensor for tensor in model.parameters() if tensor.requires_grad])
    generator = torch.Generator().manual_seed(recipe.seed)
    load_batch = _batch_loader(inputs, train, generator, device)

    # What happens around a step
    capture = capture_steps(
        model,
        train,
        recipe,
        observer.report,
        has_noise=noisy is not None,
        several_processes=processes.count > 1,
    )
    before_step = _in_order(
        choose_dropout(model, options, total),
        (lambda step: None) if noisy is None else noisy.begin_step,
        partial(processes.draw_for, seed=recipe.seed, generator=generator),
    )

    def validate() -> Metrics:
        with checkpoints.stop.at_once():
            return _validate(model, validation, processes)

    observer.start(total)
    with opening as records, checkpoints.stop.deferred():
        record = _in_order(records.append, observer.record)
        _record_known(inputs, record)
        return fit(
            model,
            steps,
            load_batch,
            objective,
            selection_of(model, options, validate, len(text_labels(validation))),
            StepHooks(
                capture=capture,
                before_step=before_step,
                change_gradients=choose_gradient_noise(optimizer, options, recipe.seed),
                record=record,
                read_every=STEPS_BETWEEN_READS if device.type == "cuda" else 1,
            ),
            Continuation(
                resume=inputs.checkpoint,
                known=inputs.known,
                due=partial(checkpoints.due, last_step=total, any_process=processes.any),
                keep=checkpoints.keep,
                others={"records": records, "token_dropout": OwnGenerator(generator)},
            ),
            processes,
        )


def _record_known(inputs: TrainingInputs, record: Callable[[Record], object]) -> None:
    """Record the moments before the first step, unless a checkpoint has them behind it."""
    for moment in inputs.known if inputs.checkpoint is None else ():
        record(validation_record(moment.step, 0.0, moment.metrics))


def _steps_of(inputs: TrainingInputs) -> tuple[int, list[Step]]:
    """Return how many steps are planned, and those that are taken."""
    steps = _steps(inputs.recipe, inputs.corpora["train"])
    if inputs.until is None:
        return len(steps), steps
    return len(steps), unvalidated(steps, round(inputs.until * len(steps)))


def planned_steps(recipe: Recipe, corpus: TokenCorpus) -> int:
    """Return how many optimizer steps a recipe plans on some training texts."""
    return len(_steps(recipe, corpus))


def _steps(recipe: Recipe, corpus: TokenCorpus) -> list[Step]:
    options = recipe.training
    epochs = (_epoch(recipe, corpus, epoch) for epoch in range(options.epochs))
    return training_steps(
        epochs, options.gradient_accumulation_steps, options.max_steps, options.evaluate_every
    )


def _epoch(recipe: Recipe, corpus: TokenCorpus, epoch: int) -> list[Indices]:
    options = recipe.training
    texts = draw_texts(text_labels(corpus), options.sampling, recipe.seed, epoch)
    rows = windows_of(texts, corpus.text_starts)
    batches = epoch_batches(
        corpus.lengths[rows],
        batch_size=None if options.batch_tokens else options.batch_size,
        batch_tokens=options.batch_tokens,
        seed=recipe.seed,
        epoch=epoch,
        ascending=options.curriculum == "length" and epoch == 0,
    )
    return [rows[batch] for batch in batches]


def _drop_in_encoder(
    model: ClassifierNetwork, recipe: Recipe, report: Callable[[str], None]
) -> None:
    if recipe.encoder_dropout and isinstance(model.encoder, NativeEncoder):
        first = drop_in_encoder(model.encoder, recipe.encoder_dropout)
        report(f"encoder dropout: from layer {first} up, which now run plainly")


def _prepared_texts(
    model: ClassifierNetwork,
    inputs: TrainingInputs,
    steps: Sequence[Step],
    processes: Processes,
    report: Callable[[str], None],
    noisy: NoisyCorpus | None,
) -> tuple[Corpus, Corpus]:
    """Return training and validation texts as they are cheapest to read again and again."""
    recipe, device = inputs.recipe, module_device(model)
    train, validation = processes.in_turn(
        lambda: skip_frozen_layers(
            model.encoder,
            inputs.corpora["train"],
            inputs.corpora["validation"],
            steps,
            recipe.engine,
            report,
            has_noise=noisy is not None,
        )
    )
    if noisy is not None:
        return noisy, validation
    stays = device.type == "cuda" and not recipe.training.token_dropout
    if stays and isinstance(train, TokenCorpus):
        return resident(train, device), validation
    return train, validation


def _targets_of_rows(inputs: TrainingInputs, device: torch.device) -> Tensor:
    """Return a teacher's answers by row: every window has the answer about its text."""
    targets, starts = inputs.targets, inputs.corpora["train"].text_starts
    assert targets is not None
    if starts is not None:
        targets = targets.repeat_interleave(torch.from_numpy(np.diff(starts)), 0)
    return targets.to(device)


def _in_order(*calls: Callable[[Value], object]) -> Callable[[Value], None]:
    def call_all(value: Value) -> None:
        for call in calls:
            call(value)

    return call_all


def _batch_loader(
    inputs: TrainingInputs, corpus: Corpus, generator: torch.Generator, device: torch.device
) -> Callable[[Indices], Batch]:
    share = inputs.recipe.training.token_dropout

    def load_batch(indices: Indices) -> Batch:
        batch = corpus.batch(indices)
        return (drop_tokens(batch, share, generator) if share else batch).to(device)

    if inputs.targets is None:
        return load_batch
    return with_targets(load_batch, _targets_of_rows(inputs, device))


def _validate(model: ClassifierNetwork, corpus: Corpus, processes: Processes) -> dict[str, float]:
    part = CorpusPart(corpus, processes.part(np.arange(len(corpus))))
    logits = processes.assemble(model.predict_logits(part), len(corpus))
    if corpus.text_starts is not None:
        logits = model.per_text(logits, corpus.text_starts)
    # Of process 0, so that machines that round otherwise take the same decision.
    return processes.of_first(validation_metrics(model.problem, logits, text_labels(corpus)))
