"""From a recipe to a run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import rmtree

from ranklet.budget.plan import check_counted, count_trainable, enforce_budget
from ranklet.classifier import TextClassifier
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.tokens.corpus import Corpora, TokenCorpus, build_corpus, default_cache_folder
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import encoder_config
from ranklet.errors import RecipeError, RecipeIssue
from ranklet.evaluation.answers import answer_splits, evaluate_splits
from ranklet.evaluation.by_problem import tune
from ranklet.evaluation.json_values import to_values
from ranklet.files import write_atomically
from ranklet.launch import read_launch
from ranklet.recipe import Recipe, to_yaml
from ranklet.run.certificate import certify_run
from ranklet.run.folder import Run, check_vacant, free_folder, new_run, write_json
from ranklet.run.model_card import model_card
from ranklet.run.observer import Observer
from ranklet.run.records import open_records
from ranklet.run.report import write_run_report
from ranklet.run.writing import (
    describe_training,
    write_answers,
    write_baselines,
    write_evaluations,
    write_importance,
)
from ranklet.saved.model import load_model, save_model
from ranklet.training.checkpoint_writer import CheckpointWriter
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
from ranklet.workflows._train.resume import CheckpointSchedule, find_beginning, origin_of
from ranklet.workflows._train.signals import StopRequest, stop_on_signals
from ranklet.workflows._train.teachers import consult_teachers
from ranklet.workflows.fit_ranks import fit_ranks
from ranklet.workflows.from_recipe.fit_arguments import check_class_weights
from ranklet.workflows.from_recipe.model import build_model, classifier_settings
from ranklet.workflows.from_recipe.placement import labels_without_reading, plan_for_labels
from ranklet.workflows.from_recipe.ranks import check_feasible, open_space
from ranklet.workflows.from_recipe.splits import read_splits

RUNS_FOLDER = Path("runs")


def train(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    name: str = "run",
    observer: Observer | None = None,
) -> Run:
    """Train a classifier under its budget and write the run.

    Started by torchrun as several processes, each makes this call: they share the rows of every
    batch, and process 0 does and writes everything else.

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
        ProcessLostError: Another process ended or does not answer; so does this.
        ParityError: Counts disagree, or the saved model answers differently.
    """
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
                observer.announce(f"{folder}: finished before the processes were started again")
                return Run(folder)
            return _train(recipe, folder, observer, stop, processes)


def _train(
    recipe: Recipe, folder: Path, observer: Observer, stop: StopRequest, processes: Processes
) -> Run:
    check_vacant(folder)
    device = processes.take_device(choose_device(recipe.engine.device))
    dtype = choose_dtype(recipe.engine.precision, device)
    check_before_download(recipe)

    splits = read_splits(recipe.data, recipe.seed)
    check_class_weights(recipe.training, splits.labels)
    prepare_memory()
    lesson = consult_teachers(recipe, splits, observer.announce)
    targets = None if lesson is None else lesson.targets
    origin = partial(origin_of, recipe, splits, dtype, device, targets, processes.count)
    begin = find_beginning(Run(folder), origin)
    asked, recipe = recipe, begin.recipe or fit_ranks(recipe, splits)
    plan = plan_for_labels(recipe, len(splits.labels))
    enforce_budget(plan)

    labelled = splits
    if lesson is not None:
        splits = replace(splits, train=lesson.train)
    model, adapter = build_model(recipe, splits.labels, dtype, device)
    check_counted(plan, count_trainable(model), "after placing the adapters")

    with new_run(folder, continued=begin.checkpoint is not None) as run:
        # Only now, so that a training that cannot begin says nothing but why.
        for line in describe_beginning(asked, recipe, plan, model, splits, lesson):
            observer.announce(line)
        write_json(run.plan, plan.to_json())
        write_atomically(run.recipe, to_yaml(recipe))
        corpora = _tokenize(model, splits)
        observer.announce(describe_engine(corpora, recipe, dtype, device, processes.count))
        if recipe.engine.quantization != "none":
            observer.announce(describe_quantization(model, recipe))
        if recipe.adapter.init == "eva" and begin.checkpoint is None:
            start_from_activations(model, corpora["train"], recipe.seed)
        if recipe.head_start == "ridge" and begin.checkpoint is None:
            start = start_with_ridge(model, corpora["train"], recipe.seed)
            observer.announce(describe_start(start, len(corpora["train"])))
        begin.describe(observer.announce)
        with CheckpointWriter(run.checkpoints, recipe.training.keep_checkpoints) as writer:
            checkpoints = CheckpointSchedule(writer, origin(), recipe, stop)
            inputs = TrainingInputs(
                recipe,
                splits.labels,
                corpora,
                splits.train.texts,
                targets,
                begin.checkpoint,
                dtype,
            )
            with processes.together(inputs):
                result = fit_model(
                    model, inputs, processes, checkpoints, open_records(run), observer
                )
        observer.announce(describe_result(result))

        answers = answer_splits(model, splits, corpora)
        logits = answers["validation"].logits
        model.problem = tune(model.problem, logits, splits.validation.labels)
        observer.announce(describe_tuning(model))
        evaluations = evaluate_splits(model, answers, recipe.seed)
        card = model_card(recipe, model, plan, evaluations)
        save_model(run.adapter, model, classifier_settings(recipe), adapter, card)
        # A fresh object from the files must answer alike; loading compares the probes.
        load_model(run.adapter, dtype=dtype, device=device, attention=recipe.engine.attention)
        about = describe_training(recipe, splits, corpora, result, dtype, device)
        write_json(
            run.environment,
            {**about, "processes": processes.count, "checkpoints": vars(writer.figures)},
        )
        write_json(run.data, to_values(describe_data(recipe.data, splits, corpora)))
        write_evaluations(run, evaluations)
        write_answers(run, model, answers)
        write_importance(run, model, answers)
        write_baselines(run, labelled, recipe)
        certificate = certify_run(run, recipe, plan, model)
        write_run_report(run, certificate["sha256"])
        write_json(run.certificate, certificate)  # last: it marks a finished run
    rmtree(run.checkpoints, ignore_errors=True)
    observer.finish(run)
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
    if recipe.encoder_dropout and config.transformers is not None:
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
