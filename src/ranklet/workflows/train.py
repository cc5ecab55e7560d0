"""From a recipe to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

from ranklet.budget.plan import check_counted, count_trainable, enforce_budget
from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.reading.memory import Data
from ranklet.data.tokens.corpus import Corpora, TokenCorpus, build_corpus, default_cache_folder
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.evaluation.answers import Answers, answer_splits, evaluate_splits
from ranklet.evaluation.json_values import to_values
from ranklet.evaluation.problem_metrics import tune
from ranklet.evaluation.result import Evaluation
from ranklet.files import write_atomically
from ranklet.launch import read_launch
from ranklet.recipe import Recipe, as_recipe, to_yaml
from ranklet.run.certificate import certify_run
from ranklet.run.folder import Run, check_vacant, free_folder, new_run, write_json
from ranklet.run.observer import Observer
from ranklet.run.records import open_records
from ranklet.run.report import write_run_report
from ranklet.run.writing import (
    describe_training,
    write_adapter,
    write_answers,
    write_baselines,
    write_evaluations,
    write_importance,
)
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.fit import FitResult
from ranklet.training.processes import Processes, join_processes
from ranklet.training.techniques.activation_start import start_from_activations
from ranklet.training.techniques.ridge_start import start_with_ridge
from ranklet.workflows._train.data_description import describe_data
from ranklet.workflows._train.learn import fit_model
from ranklet.workflows._train.messages import (
    describe_beginning,
    describe_engine,
    describe_quantization,
    describe_result,
    describe_start,
    describe_tuning,
)
from ranklet.workflows._train.other_processes import TrainingInputs, follow_first
from ranklet.workflows._train.resume import Beginning, CheckpointSchedule, find_beginning, origin_of
from ranklet.workflows._train.signals import StopRequest, stop_on_signals
from ranklet.workflows._train.teachers import consult_teachers
from ranklet.workflows.fit_ranks import fit_ranks
from ranklet.workflows.from_recipe.fit_arguments import check_class_weights
from ranklet.workflows.from_recipe.model import build_model, classifier_settings
from ranklet.workflows.from_recipe.placement import (
    encoder_of,
    labels_without_reading,
    plan_for_labels,
)
from ranklet.workflows.from_recipe.ranks import check_feasible, open_space
from ranklet.workflows.from_recipe.splits import InMemoryBySplit, read_splits, with_sources

RUNS_FOLDER = Path("runs")


def train(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    data: Data | None = None,
    validation: Data | float | None = None,
    test: Data | None = None,
    name: str = "run",
    observer: Observer | None = None,
) -> Run:
    """Train a classifier under its budget and write the run.

    Started by torchrun as several processes, each makes this call: they share the rows of every
    batch, and process 0 does and writes everything else.

    Args:
        recipe: What to do: a recipe, the name of a built-in one, or a file.
        out: Folder of the run, vacant or with an unfinished run, which is continued if it has a
            checkpoint; None: a new one below `runs/`.
        data: Training texts in place of the recipe's: `LabelledTexts`, (texts, labels), a
            DataFrame, a `datasets.Dataset`, dicts, or the name of a source. The recipe's own test
            and validation data, being others', are left out with them.
        validation: Texts that choose the best weights, in place of the recipe's: as `data`, or a
            share or a number of the training texts.
        test: Texts for the final figures, in place of the recipe's: as `data`.
        name: Name of the new folder below `runs/`.
        observer: Receives what happens.

    Returns:
        The finished run: adapter, plan, certificate, figures, evaluation on test, report.

    Raises:
        BudgetExceededError: The recipe trains more than its budget; nothing was downloaded.
        RankletError: Any other problem of the recipe, the data, the encoder or the disk.
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: SIGTERM or SIGUSR1 ended it in order; the same call continues.
        ProcessLostError: Another process ended or does not answer; so does this.
        ParityError: Counts disagree, or the saved model answers differently.
    """
    recipe, in_memory = with_sources(as_recipe(recipe), data, validation, test)
    observer = observer or Observer()
    folder = free_folder(RUNS_FOLDER, name) if out is None else Path(out)
    launch = read_launch()
    if out is None:
        launch.refuse_several("a folder of its own for each start", "name one (--out)")
    with (
        join_processes(launch) as processes,
        stop_on_signals(interrupt=processes.count > 1) as stop,
    ):
        if processes.index:
            follow_first(processes, stop, partial(fit_model, observer=Observer()))
            return Run(folder)
        with processes.leading():
            if launch.attempt and Run(folder).is_finished:
                observer.report(f"{folder}: finished before the processes were started again")
                return Run(folder)
            return _train(recipe, in_memory, folder, observer, stop, processes)


def _train(
    recipe: Recipe,
    in_memory: InMemoryBySplit,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    processes: Processes,
) -> Run:
    # Whatever is refused before anything is read or downloaded.
    check_vacant(folder)
    device = processes.take_device(choose_device(recipe.engine.device))
    dtype = choose_dtype(recipe.engine.precision, device)
    encoder = encoder_of(recipe)
    check_before_download(recipe, encoder)

    # The data, hashed as it is read; what teachers say of them.
    splits = read_splits(recipe.data, recipe.seed, in_memory)
    check_class_weights(recipe.training, splits.labels)
    prepare_memory()
    lesson = consult_teachers(recipe, splits, observer.report)
    targets = None if lesson is None else lesson.targets
    taught = splits if lesson is None else replace(splits, train=lesson.train)

    # Where to begin, with which ranks, and what that trains.
    origin = partial(origin_of, recipe, encoder, splits, dtype, device, targets, processes.count)
    beginning = find_beginning(Run(folder), origin)
    resolved = beginning.recipe or fit_ranks(recipe, splits, encoder)
    plan = plan_for_labels(resolved, encoder, len(splits.labels))
    enforce_budget(plan)

    # Weights, adapters and head, counted again.
    model, adapter = build_model(resolved, encoder, splits.labels, dtype, device)
    check_counted(plan, count_trainable(model), "after placing the adapters")

    with new_run(folder, continued=beginning.checkpoint is not None) as run:
        # Only now, so that a training that cannot begin says nothing but why.
        for line in describe_beginning(recipe, resolved, plan, model, taught, lesson):
            observer.report(line)
        write_json(run.plan, plan.to_json())
        write_atomically(run.recipe, to_yaml(resolved))

        # Tokens, the start of what trains, and the loop, which leaves the best of validation.
        corpora = _tokenize(model, taught)
        observer.report(describe_engine(corpora, resolved, dtype, device, processes.count))
        _begin(model, corpora["train"], resolved, beginning, observer.report)
        texts, checkpoint = taught.train.texts, beginning.checkpoint
        inputs = TrainingInputs(resolved, model.labels, corpora, texts, targets, checkpoint, dtype)
        result, checkpoints = _learn(run, model, inputs, origin(), stop, processes, observer)

        # What its answers are worth; the adapter, read again by a fresh object; all else.
        answers = _answer(model, taught, corpora, observer.report)
        evaluations = evaluate_splits(model, answers, resolved.seed)
        settings = classifier_settings(resolved)
        saved = write_adapter(run, resolved, plan, model, settings, adapter, evaluations)
        about = describe_training(resolved, taught, corpora, result, dtype, device)
        about |= {"processes": processes.count, "checkpoints": checkpoints}
        write_json(run.environment, about)
        write_json(run.data, to_values(describe_data(resolved.data, taught, corpora)))
        _write_answers(run, model, answers, evaluations)
        write_baselines(run, splits, resolved)
        certificate = certify_run(run, resolved, plan, model, saved, encoder, splits.sha256)
        write_run_report(run, certificate["sha256"])
        write_json(run.certificate, certificate)  # last: it marks a finished run
    rmtree(run.checkpoints, ignore_errors=True)
    observer.finish(run)
    return run


def check_before_download(recipe: Recipe, encoder: EncoderSource) -> None:
    """Refuse what shapes alone show to be impossible, before anything is read or downloaded.

    Args:
        recipe: What is to be trained.
        encoder: Its encoder, of which the sizes are needed.

    Raises:
        BudgetExceededError: Even with two labels, if their number is not known yet.
        RecipeError: `data.max_length` is more than the encoder has positions for, or it is not one
            of those whose layers can drop out.
    """
    config = encoder.config
    if recipe.data.max_length > config.max_length:
        message = f"{recipe.data.max_length} is more than encoder {encoder.name!r} takes; "
        message += f"allowed: 3 to {config.max_length}"
        raise RecipeError([RecipeIssue("", "data.max_length", message)])
    if recipe.encoder_dropout and config.transformers is not None:
        message = f"encoder type {config.model_type} is computed by transformers, without dropout; "
        raise RecipeError([RecipeIssue("", "encoder_dropout", message + "set it to 0.0")])
    num_labels = len(labels_without_reading(recipe) or "ab")
    if recipe.adapter.fit is not None:
        check_feasible(open_space(recipe, encoder, num_labels), recipe.adapter.fit)
    else:
        enforce_budget(plan_for_labels(recipe, encoder, num_labels))


def _tokenize(model: ClassifierNetwork, splits: Splits) -> Corpora:
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

    by_name = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: corpus(split) for name, split in by_name.items() if split is not None}


def _begin(
    model: ClassifierNetwork,
    corpus: TokenCorpus,
    recipe: Recipe,
    beginning: Beginning,
    report: Callable[[str], None],
) -> None:
    """Give what trains its start, unless a checkpoint holds it."""
    if recipe.engine.quantization != "none":
        report(describe_quantization(model, recipe))
    if recipe.adapter.init == "eva" and beginning.checkpoint is None:
        start_from_activations(model, corpus, recipe.seed)
    if recipe.head_start == "ridge" and beginning.checkpoint is None:
        report(describe_start(start_with_ridge(model, corpus, recipe.seed), len(corpus)))
    beginning.describe(report)


def _learn(
    run: Run,
    model: ClassifierNetwork,
    inputs: TrainingInputs,
    origin: Mapping[str, str],
    stop: StopRequest,
    processes: Processes,
    observer: Observer,
) -> tuple[FitResult, dict[str, Any]]:
    """Leave a model at its best validation; what came of it, and of its checkpoints."""
    recipe = inputs.recipe
    with CheckpointWriter(run.checkpoints, recipe.training.keep_checkpoints) as writer:
        schedule = CheckpointSchedule(writer, origin, recipe, stop)
        with processes.together(inputs):
            result = fit_model(model, inputs, processes, schedule, open_records(run), observer)
    observer.report(describe_result(result))
    return result, vars(writer.figures)


def _answer(
    model: ClassifierNetwork, splits: Splits, corpora: Corpora, report: Callable[[str], None]
) -> dict[str, Answers]:
    """Answer every split but train, with what makes labels of logits tuned on validation."""
    answers = answer_splits(model, splits, corpora)
    logits = answers["validation"].logits
    model.problem = tune(model.problem, logits, splits.validation.labels)
    report(describe_tuning(model))
    return answers


def _write_answers(
    run: Run,
    model: ClassifierNetwork,
    answers: Mapping[str, Answers],
    evaluations: Mapping[str, Evaluation],
) -> None:
    write_evaluations(run, evaluations)
    write_answers(run, model, answers)
    write_importance(run, model, answers)
