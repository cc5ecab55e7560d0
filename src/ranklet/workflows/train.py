"""From a recipe to a run, or to a classifier in memory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ranklet.budget.plan import ParameterPlan
from ranklet.data.reading.memory import Data
from ranklet.evaluation.answers import evaluate_splits
from ranklet.json_values import to_values
from ranklet.launch import Launch, read_launch
from ranklet.recipe import Recipe, as_recipe, recipe_hash, shared_recipe
from ranklet.run.certificate import certify_run, write_manifest
from ranklet.run.folder import Run, write_json
from ranklet.run.model_card import model_card
from ranklet.run.new_run import check_vacant, chosen_folder, new_run
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
    write_recipe,
)
from ranklet.saved.model import as_saved
from ranklet.text_classifier import TextClassifier
from ranklet.training.checkpoint_writer import CheckpointWriter
from ranklet.training.fit import FitResult
from ranklet.training.processes import Processes, join_processes
from ranklet.workflows._train.data_description import describe_data
from ranklet.workflows._train.learn import fit_model
from ranklet.workflows._train.messages import describe_result
from ranklet.workflows._train.other_processes import (
    NoCheckpoints,
    NoRecords,
    TrainingInputs,
    follow_first,
)
from ranklet.workflows._train.preparation import (
    Preparation,
    answer_test,
    answer_tuned,
    make_ready,
    prepare,
    unknown_part,
)
from ranklet.workflows._train.refit import refit
from ranklet.workflows._train.resume import CheckpointSchedule
from ranklet.workflows._train.signals import StopRequest, stop_on_signals
from ranklet.workflows.from_recipe.model import classifier_settings
from ranklet.workflows.from_recipe.splits import InMemoryBySplit, with_sources


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
        out: Folder of the run, vacant or with an unfinished run of this recipe, which is continued
            if it has a checkpoint; None: a new one below `runs/`.
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
    launch = read_launch()
    if out is None:
        launch.refuse_several("a folder of its own for each start", "name one (--out)")
    with (
        chosen_folder(out, name) as folder,
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
    mark = {"recipe": recipe_hash(recipe)}
    check_vacant(folder, mark)
    prepared = prepare(recipe, in_memory, Run(folder), processes, observer.report)
    resolved, plan, model = prepared.recipe, prepared.plan, prepared.model
    with new_run(folder, mark, continued=prepared.beginning.checkpoint is not None) as run:
        # Only now, so that a training that cannot begin says nothing but why.
        prepared.describe(observer.report)
        write_json(run.plan, plan.to_json())
        shared = write_recipe(run, resolved)

        # Tokens, the start of what trains, and the loop, which leaves the best of validation.
        inputs = make_ready(prepared, processes, observer.report)
        corpora = inputs.corpora
        result, checkpoints = _learn(run, prepared, inputs, stop, processes, observer)

        # Its answers on validation; what is kept of it, or of a training on all texts.
        answers = answer_tuned(model, prepared.taught, corpora, observer.report)
        kept = refit(prepared, inputs, result, processes, stop, observer)
        model = kept.model
        answers = answer_test(model, prepared.taught, corpora) | answers

        # What they are worth; the adapter, read again by a fresh object; all else.
        evaluations = evaluate_splits(model, answers, resolved.seed)
        settings = classifier_settings(resolved)
        saved = write_adapter(run, shared, plan, model, settings, prepared.adapter, evaluations)
        about = describe_training(
            resolved, prepared.taught, corpora, result, prepared.dtype, prepared.device
        )
        about |= {"processes": processes.count, "checkpoints": checkpoints}
        about |= {"unknown": unknown_part(model, corpora["train"])}
        about |= {"refit": None if kept.texts is None else len(kept.texts.texts)}
        write_json(run.environment, about)
        write_json(run.data, to_values(describe_data(resolved.data, prepared.taught, corpora)))
        write_evaluations(run, evaluations)
        write_answers(run, model, answers)
        write_importance(run, model if "test" in answers else prepared.model, answers)
        write_baselines(run, prepared.splits, kept.texts, resolved.seed, kept.probe)
        data = prepared.splits.sha256
        certificate = certify_run(run, shared, plan, model, saved, data)
        write_run_report(run, certificate["sha256"])
        stop.ignore()  # what is left takes no time, and nobody could continue it
        write_manifest(run)
        write_json(run.certificate, certificate)  # last: it marks a finished run
    observer.finish(run)
    return run


def _learn(
    run: Run,
    prepared: Preparation,
    inputs: TrainingInputs,
    stop: StopRequest,
    processes: Processes,
    observer: Observer,
) -> tuple[FitResult, dict[str, Any]]:
    """Leave a model at its best validation; what came of it, and of its checkpoints."""
    model, recipe = prepared.model, prepared.recipe
    with CheckpointWriter(run.checkpoints, recipe.training.keep_checkpoints) as writer:
        schedule = CheckpointSchedule(writer, prepared.origin(), recipe, stop)
        with processes.together(inputs):
            result = fit_model(model, inputs, processes, schedule, open_records(run), observer)
    observer.report(describe_result(result))
    return result, vars(writer.figures)


@dataclass(frozen=True, eq=False)
class Learned:
    """A classifier that was trained in memory.

    Attributes:
        classifier: At its best validation, adapters not merged.
        plan: What was trained.
        result: How the training went.
    """

    classifier: TextClassifier
    plan: ParameterPlan
    result: FitResult


def learn(
    recipe: Recipe,
    *,
    data: Data | None = None,
    validation: Data | float | None = None,
    test: Data | None = None,
    observer: Observer | None = None,
) -> Learned:
    """Train a classifier as `train` does, and write no file but the cache of tokens.

    There are no checkpoints, so a signal ends the program as it ends any other.

    Args:
        recipe: What to do.
        data: Training texts, as of `train`.
        validation: Texts that choose the best weights, as of `train`.
        test: Texts for the figures on the model card, as of `train`.
        observer: Receives what happens; there is no run to finish.

    Raises:
        RankletError: Whatever `train` raises; also for several processes.
    """
    read_launch().refuse_several("a training in memory", "train into a folder (ranklet train)")
    recipe, in_memory = with_sources(recipe, data, validation, test)
    observer, processes = observer or Observer(), Processes(Launch())
    prepared = prepare(recipe, in_memory, None, processes, observer.report)
    prepared.describe(observer.report)
    inputs = make_ready(prepared, processes, observer.report)
    checkpoints, records = NoCheckpoints(StopRequest()), nullcontext(NoRecords())
    model = prepared.model
    result = fit_model(model, inputs, processes, checkpoints, records, observer)
    observer.report(describe_result(result))
    answers = answer_tuned(model, prepared.taught, inputs.corpora, observer.report)
    model = refit(prepared, inputs, result, processes, checkpoints.stop, observer).model
    answers = answer_test(model, prepared.taught, inputs.corpora) | answers
    evaluations = evaluate_splits(model, answers, prepared.recipe.seed)
    card = model_card(shared_recipe(prepared.recipe)[0], model, prepared.plan, evaluations)
    settings, adapter = as_saved(model, classifier_settings(prepared.recipe), prepared.adapter)
    return Learned(TextClassifier(model, settings, adapter, card), prepared.plan, result)
