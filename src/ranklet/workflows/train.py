"""train: from a recipe to a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from torch import Tensor

from ranklet.batch import Batch
from ranklet.budget.plan import check_counted, count_trainable, enforce_budget
from ranklet.classifier import TextClassifier
from ranklet.data.augmentation import drop_tokens
from ranklet.data.batching import Indices, epoch_batches
from ranklet.data.corpus import (
    Corpus,
    TokenCorpus,
    build_corpus,
    default_cache_folder,
    text_labels,
)
from ranklet.data.sampling import draw_texts, windows_of
from ranklet.encoder.families import NativeEncoder
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import encoder_config
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.evaluation.by_problem import answer_metrics, tuned
from ranklet.files import write_atomically
from ranklet.recipe import Recipe, to_yaml
from ranklet.run import Run, check_vacant, free_folder, new_run, open_records, write_json
from ranklet.saved_model import load_model, save_model
from ranklet.saved_probes import compute_dtype
from ranklet.training.activation_start import start_from_activations
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.checkpoints import Checkpoint
from ranklet.training.fit import FitResult, Record, fit
from ranklet.training.noise import drop_in_encoder
from ranklet.training.resident_corpus import resident
from ranklet.training.ridge_start import start_with_ridge
from ranklet.training.state import OwnGenerator
from ranklet.training.steps import Step, plan_steps
from ranklet.workflows.announcements import (
    describe_beginning,
    describe_engine,
    describe_quantization,
    describe_result,
    describe_start,
    describe_tuning,
)
from ranklet.workflows.build_model import build_model, classifier_settings
from ranklet.workflows.capture_steps import capture_steps
from ranklet.workflows.certify_run import certify_run
from ranklet.workflows.consult_teachers import consult_teachers
from ranklet.workflows.continue_run import CheckpointPlan, find_beginning, origin_of
from ranklet.workflows.fit_ranks import fit_ranks
from ranklet.workflows.judge import answer_splits, judge_splits, write_answers
from ranklet.workflows.model_card import model_card
from ranklet.workflows.plan import labels_without_reading, plan_for_labels
from ranklet.workflows.read_splits import EncodedSplit, Splits, read_splits
from ranklet.workflows.skip_frozen_layers import skip_frozen_layers
from ranklet.workflows.solve import check_feasible, open_space
from ranklet.workflows.stop_signals import StopRequest, stop_on_signals
from ranklet.workflows.techniques import (
    check_class_weights,
    choose_average,
    choose_batch_loss,
    choose_before_step,
    choose_loss,
    choose_noise,
    choose_optimizer,
    choose_schedule,
    choose_text_noise,
)
from ranklet.workflows.write_run import (
    Corpora,
    describe_training,
    write_evaluations,
    write_run_report,
)

RUNS_FOLDER = Path("runs")

# A GPU runs ahead of the program by this many steps before a loss is read back.
STEPS_BETWEEN_READS = 50


@dataclass(frozen=True)
class Observer:
    """Who is told what happens during a training.

    Attributes:
        announce: Receives lines for a person.
        start: Receives the number of optimizer steps before the first.
        record: Receives every training and validation record.
        finish: Receives the finished run.
    """

    announce: Callable[[str], None] = lambda line: None
    start: Callable[[int], None] = lambda total_steps: None
    record: Callable[[Record], None] = lambda record: None
    finish: Callable[[Run], None] = lambda run: None


def train(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    name: str = "run",
    observer: Observer | None = None,
) -> Run:
    """Train a classifier under its budget and write the run.

    Args:
        recipe: What to do.
        out: Folder of the run, vacant or with an unfinished run, which is continued if it has a
            checkpoint; None: a new one below `runs/`.
        name: Name of the new folder below `runs/`.
        observer: Is told what happens.

    Returns:
        The finished run: adapter, plan, certificate, figures, evaluation on test, report.

    Raises:
        BudgetExceededError: The recipe trains more than its budget; nothing was downloaded.
        RankletError: Any other problem of the recipe, the data, the encoder or the disk.
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: SIGTERM or SIGUSR1 ended it in order; the same call continues.
        ParityError: Counts disagree, or the saved model answers differently.
    """
    told = observer or Observer()
    folder = free_folder(RUNS_FOLDER, name) if out is None else Path(out)
    with stop_on_signals() as stop:
        return _train(recipe, folder, told, stop)


def _train(recipe: Recipe, folder: Path, told: Observer, stop: StopRequest) -> Run:
    check_vacant(folder)
    device = choose_device(recipe.engine.device)
    dtype = choose_dtype(recipe.engine.precision, device)
    check_before_download(recipe)

    splits = read_splits(recipe.data, recipe.seed)
    check_class_weights(recipe.training, splits.labels)
    prepare_memory()
    lesson = consult_teachers(recipe, splits, told.announce)
    targets = None if lesson is None else lesson.targets
    origin = partial(origin_of, recipe, splits, dtype, device, targets)
    begin = find_beginning(Run(folder), origin)
    asked, recipe = recipe, begin.recipe or fit_ranks(recipe, splits)
    plan = plan_for_labels(recipe, len(splits.labels))
    enforce_budget(plan)

    if lesson is not None:
        splits = replace(splits, train=lesson.train)
    model, adapter = build_model(recipe, splits.labels, dtype, device)
    check_counted(plan, count_trainable(model), "after placing the adapters")
    if isinstance(model.encoder, NativeEncoder):
        model.encoder.activation_checkpointing = recipe.engine.activation_checkpointing

    with new_run(folder, continued=begin.checkpoint is not None) as run:
        # Only now, so that a training that cannot begin says nothing but why.
        for line in describe_beginning(asked, recipe, plan, model, splits, lesson):
            told.announce(line)
        write_json(run.plan, plan.to_json())
        write_atomically(run.recipe, to_yaml(recipe))
        corpora = _tokenize(model, splits)
        told.announce(describe_engine(corpora, recipe, dtype, device))
        if recipe.engine.quantization != "none":
            told.announce(describe_quantization(model, recipe))
        if recipe.adapter.init == "eva" and begin.checkpoint is None:
            start_from_activations(model, corpora["train"], recipe.seed)
        if recipe.head_start == "ridge" and begin.checkpoint is None:
            start = start_with_ridge(model, corpora["train"], recipe.seed)
            told.announce(describe_start(start, len(corpora["train"])))
        begin.announce(told.announce)
        with CheckpointWriter(run.checkpoints, recipe.training.keep_checkpoints) as writer:
            keep = CheckpointPlan(writer, origin(), recipe, stop)
            texts = splits.train.texts
            result = _fit(model, corpora, texts, targets, recipe, run, told, begin.checkpoint, keep)
        told.announce(describe_result(result))

        answers = answer_splits(model, splits, corpora)
        logits = answers["validation"].logits
        model.problem = tuned(model.problem, logits, splits.validation.labels)
        told.announce(describe_tuning(model))
        evaluations = judge_splits(model, answers, recipe.seed)
        card = model_card(recipe, model, plan, evaluations)
        save_model(run.adapter, model, classifier_settings(recipe), adapter, card)
        # A fresh object from the files must answer alike; loading compares the probes.
        load_model(run.adapter, dtype=dtype, device=device, attention=recipe.engine.attention)
        about = describe_training(recipe, splits, corpora, result, dtype, device)
        write_json(run.environment, {**about, "checkpoints": vars(writer.figures)})
        write_evaluations(run, evaluations)
        write_answers(run, model, answers)
        write_run_report(run)
        write_json(run.certificate, certify_run(run, recipe, plan, model))
    rmtree(run.checkpoints, ignore_errors=True)
    told.finish(run)
    return run


def check_before_download(recipe: Recipe) -> None:
    """Refuse what shapes alone show to be impossible, before anything is read or downloaded.

    Raises:
        BudgetExceededError: Even with two labels, if their number is not known yet.
        RecipeError: `data.max_length` is more than the encoder has positions for, or it is not one
            of those whose layers can drop out.
    """
    config = encoder_config(recipe.encoder)
    limit = config.max_length
    if recipe.data.max_length > limit:
        problem = f"{recipe.data.max_length} is more than encoder {recipe.encoder!r} takes; "
        problem += f"allowed: 3 to {limit}"
        raise RecipeError([RecipeIssue("", "data.max_length", problem)])
    if recipe.encoder_dropout and config.foreign is not None:
        problem = f"encoder type {config.model_type} is computed by transformers, without dropout; "
        raise RecipeError([RecipeIssue("", "encoder_dropout", problem + "set it to 0.0")])
    num_labels = len(labels_without_reading(recipe) or "ab")
    count = partial(plan_for_labels, num_labels=num_labels)
    if recipe.adapter.fit is not None:
        check_feasible(open_space(recipe, count), recipe.adapter.fit)
    else:
        enforce_budget(count(recipe))


def _tokenize(model: TextClassifier, splits: Splits) -> Corpora:
    preprocessing = model.preprocessing
    assert preprocessing is not None

    def corpus(split: EncodedSplit) -> TokenCorpus:
        return build_corpus(
            preprocessing.tokenizer,
            split.texts,
            split.labels,
            preprocessing.max_length,
            default_cache_folder(),
            preprocessing.long_texts,
        )

    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: corpus(split) for name, split in named.items() if split is not None}


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


def _fit(
    model: TextClassifier,
    corpora: Corpora,
    texts: Sequence[str],
    targets: Tensor | None,
    recipe: Recipe,
    run: Run,
    told: Observer,
    resume: Checkpoint | None,
    plan: CheckpointPlan,
) -> FitResult:
    options = recipe.training
    steps = _steps(recipe, corpora["train"])
    optimizer = choose_optimizer(model, options)
    if recipe.encoder_dropout and isinstance(model.encoder, NativeEncoder):
        first = drop_in_encoder(model.encoder, recipe.encoder_dropout)
        told.announce(f"encoder dropout: from layer {first} up, which now run plainly")
    noisy = choose_text_noise(model, corpora["train"], texts, recipe)
    train, validation = skip_frozen_layers(
        model.encoder,
        corpora["train"],
        corpora["validation"],
        steps,
        recipe.engine,
        told.announce,
        has_noise=noisy is not None,
    )
    train = noisy or train
    device = next(model.parameters()).device
    if device.type == "cuda" and isinstance(train, TokenCorpus) and not options.token_dropout:
        train = resident(train, device)
    fixed_size = None if options.batch_tokens else options.batch_size
    capture = capture_steps(
        model,
        train,
        fixed_size,
        recipe.engine,
        told.announce,
        dropout_changes=options.dropout_schedule != "constant",
        has_teacher=targets is not None,
        has_noise=noisy is not None,
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    load_batch = _batch_loader(train, options.token_dropout, generator, device)
    if targets is not None:
        starts = corpora["train"].text_starts
        if starts is not None:  # every window has the answer about its text
            targets = targets.repeat_interleave(torch.from_numpy(np.diff(starts)), 0)
        load_batch = with_targets(load_batch, targets.to(device))
    told.start(len(steps))
    with open_records(run) as records, plan.stop.deferred():

        def observe(record: Record) -> None:
            records.append(record)
            told.record(record)

        def validate() -> dict[str, float]:
            with plan.stop.at_once():
                return _validate(model, validation)

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
            scaler=_scaler(compute_dtype(model), device),
            average=choose_average(model, options),
            soup=options.soup or 1,
            before_step=choose_before_step(model, noisy, options, len(steps)),
            change_gradients=choose_noise(optimizer, options, recipe.seed),
            read_every=STEPS_BETWEEN_READS if device.type == "cuda" else 1,
            capture=capture,
            observe=observe,
            others={"records": records, "token_dropout": OwnGenerator(generator)},
            resume=resume,
            due=partial(plan.due, last_step=len(steps)),
            keep=plan.keep,
        )


def _batch_loader(
    corpus: Corpus, token_dropout: float, generator: torch.Generator, device: torch.device
) -> Callable[[Indices], Batch]:
    if not token_dropout:
        return lambda indices: corpus.batch(indices).to(device)
    return lambda indices: drop_tokens(corpus.batch(indices), token_dropout, generator).to(device)


def with_targets(
    load_batch: Callable[[Indices], Batch], targets: Tensor
) -> Callable[[Indices], Batch]:
    """Give every batch the rows of `targets`, (texts, classes), that belong to its texts."""

    def load(indices: Indices) -> Batch:
        rows = torch.as_tensor(indices, device=targets.device)
        return replace(load_batch(indices), targets=targets[rows])

    return load


def _scaler(dtype: torch.dtype, device: torch.device) -> torch.amp.GradScaler | None:
    # Micikevicius et al. 2018 (arXiv:1710.03740), section 3.2: float16 loses small gradients.
    return torch.amp.GradScaler(device.type) if dtype == torch.float16 else None


def _validate(model: TextClassifier, corpus: Corpus) -> dict[str, float]:
    probabilities = model.problem.probabilities(model.predict_logits(corpus)).numpy()
    return answer_metrics(model.problem, probabilities, text_labels(corpus))
