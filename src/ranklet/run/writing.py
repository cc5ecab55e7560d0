"""The records and evaluations of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import TextClassifier
from ranklet.data.audit.label_errors import pruned
from ranklet.data.encoded_splits import Splits
from ranklet.data.tokens.corpus import Corpora, num_texts
from ranklet.errors import RunError
from ranklet.evaluation.answers import Answers, curves_of, predictions_of, probabilities_of
from ranklet.evaluation.baselines import baselines_to_json, judge_baselines
from ranklet.evaluation.error_words import explain_errors
from ranklet.evaluation.importance import importance_to_json
from ranklet.evaluation.json_values import to_values
from ranklet.evaluation.predictions import (
    Predictions,
    write_errors,
    write_predictions,
)
from ranklet.evaluation.result import Evaluation, to_json
from ranklet.lora.adapter_file import AdapterFile
from ranklet.problem import SingleLabel
from ranklet.recipe import Recipe
from ranklet.run.environment import environment, peak_memory_bytes
from ranklet.run.folder import Run, write_json
from ranklet.run.model_card import model_card
from ranklet.run.reading import baselines_file, curves_file
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
        "filtered": splits.filtered,
        "best_step": result.best_step,
        "best_validation": dict(result.best_metrics),
        "averaged_steps": list(result.averaged_steps),
        "steps": result.steps,
        "ended_by": result.ended_by,
        "seconds": result.seconds,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def write_adapter(
    run: Run,
    recipe: Recipe,
    plan: ParameterPlan,
    model: TextClassifier,
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
    for name, evaluation in evaluations.items():
        write_json(run.evaluation / f"{name}.json", to_json(evaluation))


def write_baselines(run: Run, splits: Splits, recipe: Recipe) -> None:
    """Fit what needs no encoder on the training texts and write its figures on the others.

    Args:
        run: Whose evaluations they stand beside.
        splits: As they were read, without what a teacher labelled.
        recipe: Names the problem and the seed.

    Raises:
        RunError: The file cannot be written.
    """
    held = {"test": splits.test, "validation": splits.validation}
    found = judge_baselines(
        splits.train.texts,
        splits.train.labels,
        {name: (each.texts, each.labels) for name, each in held.items() if each is not None},
        splits.labels.names,
        recipe.data.problem_type,
        recipe.seed,
    )
    write_json(baselines_file(run), baselines_to_json(found))


def write_answers(run: Run, model: TextClassifier, answers: Mapping[str, Answers]) -> None:
    """Write predictions and curves of every evaluated split, and the errors of one label a text.

    Raises:
        RunError: A file cannot be written.
    """
    for name, each in answers.items():
        predictions = predictions_of(model, each)
        write_predictions(predictions_file(run, name), predictions)
        write_json(curves_file(run, name), to_values(curves_of(model, each)))
        if isinstance(model.problem, SingleLabel):
            write_wrong(run.evaluation / f"{name}_errors.csv", model, each, predictions)


def write_wrong(
    path: Path, model: TextClassifier, answers: Answers, predictions: Predictions
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
    write_errors(path, answers.texts, predictions, true, suspects)


def predictions_file(run: Run, split: str) -> Path:
    """Return where a run keeps what was said about each row of a split."""
    return run.evaluation / f"{split}_predictions.csv"


def write_words(run: Run, model: TextClassifier, answers: Mapping[str, Answers]) -> None:
    """Write the words behind the errors on test, or on validation where there is no test.

    Raises:
        RunError: The file cannot be written.
    """
    if isinstance(model.problem, SingleLabel):
        split = "test" if "test" in answers else "validation"
        words = explain_errors(model, answers[split])
        write_json(words_file(run, split), importance_to_json(words))


def words_file(run: Run, split: str) -> Path:
    """Return where a run keeps the words behind the errors of a split."""
    return run.evaluation / f"{split}_importance.json"
