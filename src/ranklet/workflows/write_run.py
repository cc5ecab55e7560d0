"""write_run: the records and evaluations of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ranklet.data.encoded_splits import Splits
from ranklet.data.tokens.corpus import Corpora, num_texts
from ranklet.errors import RunError
from ranklet.evaluation.baselines import baselines_to_json, judge_baselines
from ranklet.evaluation.result import Evaluation, to_json
from ranklet.recipe import Recipe
from ranklet.run import Run, write_json
from ranklet.training.fit import FitResult
from ranklet.workflows.environment import environment, peak_memory_bytes
from ranklet.workflows.read_run import baselines_file


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
