"""Classifiers that ranklet did not train, asked about the test texts of a run to compare with."""

from __future__ import annotations

from pathlib import Path

from ranklet.budget.plan import count_trainable
from ranklet.errors import RunError
from ranklet.evaluation.answers import answer, evaluate_answers, predictions_of
from ranklet.evaluation.comparison.verdicts import Contender
from ranklet.files import sha256_file
from ranklet.labels import as_written
from ranklet.run.folder import Run, SeedFolder
from ranklet.run.model_source import ModelSource, name_of, run_of
from ranklet.run.row_answers import row_answers
from ranklet.workflows._compare.runs import ComparedRun
from ranklet.workflows.from_recipe.labelled_texts import data_or_own_test, read_labelled
from ranklet.workflows.load import load


def is_trained_here(model: ModelSource) -> bool:
    """Tell whether a folder is a run or holds those of several seeds; an unfinished one is too."""
    folder = model.folder
    holds_run = run_of(model) is not None or SeedFolder(folder).summary.is_file()
    return holds_run or Run(folder).recipe.is_file()


def ask_like(run: ComparedRun, model: ModelSource) -> Contender:
    """Ask a classifier about the test texts of a run, read as the run reads them.

    Raises:
        RunError: It has other labels, or the test texts are no longer those of the run.
        DataError: The run has no test data, or it cannot be read.
        RankletError: The classifier cannot be loaded.
    """
    name = Path(name_of(model)).name
    classifier = load(model, merge=True)
    network = classifier.network
    if set(network.labels.names) != set(run.evaluation.labels):
        raise RunError(
            f"{name_of(model)}: has the labels {', '.join(network.labels.names)}, {run.name} "
            f"{', '.join(run.evaluation.labels)}; name them alike: id2label in its config.json, or "
            "ModelSource(label_names=...) in Python"
        )
    source, split = data_or_own_test(run.run, None)
    texts = read_labelled(source, "test", run.run, network)
    answers = answer(network, texts.texts, network.corpus(texts.texts, texts.labels))
    evaluation, predictions = (
        evaluate_answers(network, answers, split),
        predictions_of(network, answers),
    )
    changed = _was_changed(source, run.data_hashes.get("test"))
    if changed or list(map(as_written, predictions.labels)) != list(
        map(as_written, run.predictions.labels)
    ):
        raise RunError(f"{source}: holds other rows than when {run.name} was evaluated on it")
    whole = not classifier.adapter.placements
    parameters = network.encoder.parameters() if whole else ()
    return Contender(
        name=name,
        runs={0: name},
        evaluations={0: evaluation},
        answers={0: row_answers(predictions, evaluation, Path(str(source)))},
        parameters=count_trainable(network) + sum(p.numel() for p in parameters),
        seconds=None,
        fields={"encoder": classifier.settings.encoder},
    )


def _was_changed(source: object, certified: str | None) -> bool:
    """Tell whether a file is no longer the one that was certified."""
    if certified is None or not isinstance(source, str) or not Path(source).is_file():
        return False
    return sha256_file(Path(source)) != certified
