"""The records and evaluations of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.data.audit.label_errors import pruned
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.data.texts import in_one
from ranklet.data.tokens.corpus import Corpora, num_texts
from ranklet.encoder.kernels import answered_questions
from ranklet.errors import RunError
from ranklet.evaluation.answers import (
    Answers,
    curves_of,
    explain_errors,
    predictions_of,
    probabilities_of,
)
from ranklet.evaluation.baselines import Baseline, evaluate_baselines
from ranklet.evaluation.predictions import (
    Predictions,
    write_error_rows,
    write_predictions,
)
from ranklet.evaluation.result import Evaluation
from ranklet.files import write_atomically
from ranklet.json_values import to_values
from ranklet.local_paths import write_local_paths
from ranklet.lora.adapter_file import AdapterFile
from ranklet.problem import SingleLabel
from ranklet.recipe import Recipe, shared_recipe, to_yaml
from ranklet.run.environment import environment, peak_memory_bytes
from ranklet.run.folder import Run, write_json
from ranklet.run.model_card import model_card
from ranklet.saved.assembly import ClassifierSettings
from ranklet.saved.model import SavedClassifier, save_and_reload
from ranklet.training.fit import FitResult


def describe_training(
    recipe: Recipe,
    splits: Splits,
    corpora: Corpora,
    result: FitResult,
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Any]:
    """Collect everything about a training that is not a result, as JSON types."""
    duplicates = asdict(splits.duplicates)
    return {
        "machine": environment(device, dtype),
        "kernels": answered_questions(),
        "seed": recipe.seed,
        "rows": {name: num_texts(corpus) for name, corpus in corpora.items()},
        "truncated": {name: c.truncated / num_texts(c) for name, c in corpora.items()},
        "windows": {
            name: {"split": float((windows > 1).mean()), "per_text": float(windows.mean())}
            for name, corpus in corpora.items()
            if corpus.text_starts is not None
            for windows in [np.diff(corpus.text_starts)]
        },
        "duplicates": {name: n for name, n in duplicates.items() if isinstance(n, int)},
        "empty": splits.empty,
        "filtered": splits.filtered,
        "best_step": result.best_step,
        "best_validation": dict(result.best_metrics),
        "averaged_steps": list(result.averaged_steps),
        "steps": result.steps,
        "ended_by": result.ended_by,
        "seconds": result.seconds,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def write_recipe(run: Run, recipe: Recipe) -> Recipe:
    """Write the recipe of a run with its paths shortened, and these into the file beside it.

    Returns:
        The recipe as it is written, which is what the run states.

    Raises:
        RunError: A file cannot be written.
    """
    shared, paths = shared_recipe(recipe)
    write_local_paths(run.folder, paths)
    write_atomically(run.recipe, to_yaml(shared))
    return shared


def write_adapter(
    run: Run,
    recipe: Recipe,
    plan: ParameterPlan,
    model: ClassifierNetwork,
    settings: ClassifierSettings,
    adapter: AdapterFile,
    evaluations: Mapping[str, Evaluation],
) -> SavedClassifier:
    """Write the trained classifier of a run with its card; a fresh object must answer alike.

    Args:
        run: Whose adapter it is.
        recipe: Of the training.
        plan: Trained parameters.
        model: The classifier.
        settings: What it is.
        adapter: Where its adapters are.
        evaluations: Figures by split, for the card.

    Returns:
        What the folder holds, read back.

    Raises:
        RunError: The folder cannot be written, or what it holds answers differently.
        ParityError: A trained tensor is missing from the files or differs there.
    """
    card = model_card(recipe, model, plan, evaluations)
    return save_and_reload(run.adapter, model, settings, adapter, card, recipe.engine.attention)


def write_evaluations(run: Run, evaluations: Mapping[str, Evaluation]) -> None:
    """Write one JSON file a split.

    Raises:
        RunError: A file cannot be written.
    """
    try:
        run.evaluation.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{run.evaluation}: cannot be created ({error.strerror})") from error
    for split, evaluation in evaluations.items():
        write_json(run.evaluation_of(split), to_values(evaluation))


def write_answers(run: Run, model: ClassifierNetwork, answers: Mapping[str, Answers]) -> None:
    """Write predictions and curves of every evaluated split, and the errors of one label a text.

    Raises:
        RunError: A file cannot be written.
    """
    for split, answered in answers.items():
        predictions = predictions_of(model, answered)
        write_predictions(run.predictions(split), predictions)
        write_json(run.curves(split), to_values(curves_of(model, answered)))
        if isinstance(model.problem, SingleLabel):
            write_errors(run.errors(split), model, answered, predictions)


def write_errors(
    path: Path, model: ClassifierNetwork, answers: Answers, predictions: Predictions
) -> None:
    """Write the wrong answers of one label a text.

    A label is likely to be wrong where confident learning takes it for one by these answers; the
    classifier must not have been trained on the texts.

    Raises:
        RunError: The file cannot be written.
    """
    probabilities = probabilities_of(model, answers)
    true = probabilities[np.arange(len(answers.labels)), answers.labels]
    suspects = pruned(answers.labels, probabilities.astype(np.float64))
    texts = [in_one(text) for text in answers.texts]
    write_error_rows(path, texts, predictions, true, suspects)


def write_importance(run: Run, model: ClassifierNetwork, answers: Mapping[str, Answers]) -> None:
    """Write the words behind the errors on test, or on validation where there is no test.

    Raises:
        RunError: The file cannot be written.
    """
    if isinstance(model.problem, SingleLabel):
        split = "test" if "test" in answers else "validation"
        write_json(run.importance(split), to_values(explain_errors(model, answers[split])))


def write_baselines(
    run: Run,
    splits: Splits,
    refitted: EncodedSplit | None,
    seed: int,
    probe: Mapping[str, Tensor] | None = None,
) -> None:
    """Fit simple classifiers on what the classifier learned from, and write their figures.

    Args:
        run: Whose evaluations they stand beside.
        splits: As they were read, without what a teacher labelled.
        refitted: What the classifier that answered test was trained on, where that is more than
            the training texts.
        seed: Of what is drawn.
        probe: Logits of a linear probe on the frozen encoder, (texts, labels), by split; None:
            there was none.

    Raises:
        RunError: The file cannot be written.
    """
    others = {
        name: ([in_one(text) for text in split.texts], split.labels)
        for name, split in (("test", splits.test), ("validation", splits.validation))
        if split is not None
    }
    logits = None if probe is None else {name: table.numpy() for name, table in probe.items()}

    def fitted_on(known: EncodedSplit, names: Iterable[str]) -> dict[str, tuple[Baseline, ...]]:
        texts = [in_one(text) for text in known.texts]
        wanted = {name: others[name] for name in names}
        return evaluate_baselines(texts, known.labels, wanted, len(splits.labels), seed, logits)

    if refitted is None or splits.test is None:
        baselines = fitted_on(splits.train, others)
    else:
        baselines = fitted_on(refitted, ["test"]) | fitted_on(splits.train, ["validation"])
    write_json(run.baselines, to_values(baselines))
