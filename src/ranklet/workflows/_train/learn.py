"""The part of a training in which the model learns, alike on every rank."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch

from ranklet.batch import Batch
from ranklet.classifier import TextClassifier
from ranklet.data.tokens.batching import Indices, epoch_batches
from ranklet.data.tokens.corpus import Corpus, TokenCorpus, text_labels
from ranklet.data.tokens.corpus_part import CorpusPart
from ranklet.data.tokens.sampling import draw_texts, windows_of
from ranklet.data.tokens.token_dropout import drop_tokens
from ranklet.encoder.layers import NativeEncoder
from ranklet.evaluation.by_problem import answer_metrics
from ranklet.recipe import Recipe
from ranklet.run.observer import Observer
from ranklet.run.records import Records
from ranklet.saved.probes import compute_dtype
from ranklet.training.fit import FitResult, Record, fit
from ranklet.training.noise import drop_in_encoder
from ranklet.training.processes import Ranks
from ranklet.training.resident_corpus import resident
from ranklet.training.state import OwnGenerator
from ranklet.training.steps import Step, plan_steps
from ranklet.workflows._train.cuda_graphs import capture_steps
from ranklet.workflows._train.frozen_layers import skip_frozen_layers
from ranklet.workflows._train.other_processes import Assistance, NoRecords, SharedTraining
from ranklet.workflows._train.resume import CheckpointPlan
from ranklet.workflows._train.teachers import with_targets
from ranklet.workflows.from_recipe.fit_arguments import (
    choose_average,
    choose_batch_loss,
    choose_before_step,
    choose_loss,
    choose_noise,
    choose_optimizer,
    choose_scaler,
    choose_schedule,
    choose_text_noise,
)

# A GPU runs ahead of the program by this many steps before a loss is read back.
STEPS_BETWEEN_READS = 50


def fit_model(
    model: TextClassifier,
    work: SharedTraining,
    ranks: Ranks,
    plan: CheckpointPlan | Assistance,
    opening: AbstractContextManager[Records | NoRecords],
    told: Observer,
) -> FitResult:
    """Train a model as a recipe says and leave it at its best validation.

    Args:
        model: With its adapters, at their start.
        work: Recipe, texts and where to go on.
        ranks: The processes that share the rows of every batch; each makes this same call.
        plan: When a checkpoint is due, and what is done with it.
        opening: Keeps the records while it is open.
        told: Is told what happens.

    Raises:
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: A signal ended the training in order.
        RankLostError: Another rank ended or does not answer.
    """
    recipe, corpora, targets = work.recipe, work.corpora, work.targets
    options = recipe.training
    steps = _steps(recipe, corpora["train"])
    optimizer = choose_optimizer(model, options)
    if recipe.encoder_dropout and isinstance(model.encoder, NativeEncoder):
        first = drop_in_encoder(model.encoder, recipe.encoder_dropout)
        told.announce(f"encoder dropout: from layer {first} up, which now run plainly")
    noisy = choose_text_noise(model, corpora["train"], work.texts, recipe)
    splits = (corpora["train"], corpora["validation"])
    has_noise = noisy is not None
    train, validation = ranks.in_turn(
        lambda: skip_frozen_layers(
            model.encoder, *splits, steps, recipe.engine, told.announce, has_noise=has_noise
        )
    )
    train = noisy or train
    ranks.align([tensor for tensor in model.parameters() if tensor.requires_grad])
    device = next(model.parameters()).device
    if device.type == "cuda" and isinstance(train, TokenCorpus) and not options.token_dropout:
        train = resident(train, device)
    capture = capture_steps(
        model,
        train,
        None if options.batch_tokens else options.batch_size,
        recipe.engine,
        told.announce,
        dropout_changes=options.dropout_schedule != "constant",
        has_teacher=targets is not None,
        has_noise=has_noise,
        several_ranks=ranks.count > 1,
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    load_batch = _batch_loader(train, options.token_dropout, generator, device)
    if targets is not None:
        starts = corpora["train"].text_starts
        if starts is not None:  # every window has the answer about its text
            targets = targets.repeat_interleave(torch.from_numpy(np.diff(starts)), 0)
        load_batch = with_targets(load_batch, targets.to(device))
    told.start(len(steps))
    begin_step = choose_before_step(model, noisy, options, len(steps))
    with opening as records, plan.stop.deferred():

        def observe(record: Record) -> None:
            records.append(record)
            told.record(record)

        def validate() -> dict[str, float]:
            with plan.stop.at_once():
                return _validate(model, validation, ranks)

        def before_step(step: int) -> None:
            begin_step(step)
            ranks.draw_for(step, recipe.seed, generator)

        def due(step: Step) -> bool:
            plan.stop.agree(ranks.any)
            return plan.due(step, last_step=len(steps))

        return fit(
            model,
            steps,
            load_batch,
            optimizer,
            choose_schedule(options, len(steps)),
            choose_loss(options, model.labels, corpora["train"], device, recipe.data.problem_type),
            validate,
            batch_loss=choose_batch_loss(options, recipe.distillation),
            metric=options.metric,
            patience=options.early_stopping_patience,
            max_grad_norm=options.max_grad_norm,
            scaler=choose_scaler(compute_dtype(model), device),
            average=choose_average(model, options),
            soup=options.soup or 1,
            before_step=before_step,
            change_gradients=choose_noise(optimizer, options, recipe.seed),
            read_every=STEPS_BETWEEN_READS if device.type == "cuda" else 1,
            capture=capture,
            observe=observe,
            others={"records": records, "token_dropout": OwnGenerator(generator)},
            ranks=ranks,
            resume=work.checkpoint,
            due=due,
            keep=plan.keep,
        )


def _steps(recipe: Recipe, corpus: TokenCorpus) -> list[Step]:
    options = recipe.training
    epochs = [_epoch(recipe, corpus, epoch) for epoch in range(options.epochs)]
    return plan_steps(
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


def _batch_loader(
    corpus: Corpus, token_dropout: float, generator: torch.Generator, device: torch.device
) -> Callable[[Indices], Batch]:
    if not token_dropout:
        return lambda indices: corpus.batch(indices).to(device)
    return lambda indices: drop_tokens(corpus.batch(indices), token_dropout, generator).to(device)


def _validate(model: TextClassifier, corpus: Corpus, ranks: Ranks) -> dict[str, float]:
    part = CorpusPart(corpus, ranks.part(np.arange(len(corpus))))
    logits = ranks.assemble(model.predict_logits(part), len(corpus))
    if corpus.text_starts is not None:
        logits = model.per_text(logits, corpus.text_starts)
    probabilities = model.problem.probabilities(logits).numpy()
    # Of rank 0, so that machines that round otherwise take the same decision.
    return ranks.of_first(answer_metrics(model.problem, probabilities, text_labels(corpus)))
