"""write_run: the records, figures and report of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ranklet.budget.plan import PlanRow
from ranklet.data.corpus import TokenCorpus, num_texts
from ranklet.errors import RunError
from ranklet.evaluation.figures import Record, evaluation_figures, save_figures, training_figures
from ranklet.evaluation.report import (
    BudgetRow,
    BudgetSection,
    DataSection,
    embed_figures,
    render_report,
)
from ranklet.evaluation.result import Evaluation, from_json, to_json
from ranklet.files import write_atomically
from ranklet.recipe import Recipe, load_recipe
from ranklet.run import Run, read_json, write_json
from ranklet.training.fit import FitResult
from ranklet.workflows.environment import environment, peak_memory_bytes
from ranklet.workflows.read_splits import Splits

Corpora = Mapping[str, TokenCorpus]

EVALUATED_SPLITS = ("test", "validation")


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


def write_run_report(run: Run) -> None:
    """Draw the figures and write the report from what lies in the run's folder.

    Raises:
        RunError: A file is missing, broken or cannot be written.
    """
    plan, about = read_json(run.plan), read_json(run.environment)
    records = read_records(run)
    evaluations = list(read_evaluations(run).values())
    figures = training_figures(records)
    for evaluation in evaluations:
        figures |= evaluation_figures(evaluation)
    drawings = save_figures(run.figures, figures)
    recipe = load_recipe(run.recipe)
    page = render_report(
        title=run.folder.name,
        subtitle=f"{recipe.encoder} on {recipe.data.train}",
        evaluations=evaluations,
        budget=_budget_section(plan),
        data=_data_section(about),
        records=records,
        figures=embed_figures(drawings),
        recipe=run.recipe.read_text(encoding="utf-8"),
        environment=about["machine"],
        command=f"ranklet train {run.recipe}",
        seconds=about["seconds"],
    )
    write_atomically(run.report, page)


def read_evaluations(run: Run) -> dict[str, Evaluation]:
    """Read the evaluations that a run has, by split.

    Raises:
        RunError: A file is broken.
    """
    paths = {name: run.evaluation / f"{name}.json" for name in EVALUATED_SPLITS}
    return {name: from_json(read_json(path)) for name, path in paths.items() if path.is_file()}


def stress_file(run: Run) -> Path:
    """Return where a run keeps what shifts of its test texts did to it."""
    return run.evaluation / "stress.json"


def read_records(run: Run) -> list[Record]:
    """Read every training and validation record of a run.

    Raises:
        RunError: The file is missing or broken.
    """
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise RunError(f"{run.metrics}: not readable ({type(error).__name__})") from error


def _budget_section(plan: Mapping[str, Any]) -> BudgetSection:
    rows = [PlanRow(**row) for row in plan["rows"]]
    shown = [BudgetRow(row.module, row.kind, row.rank, row.parameters) for row in rows]
    return BudgetSection(plan["total"], plan["budget"], shown)


def _data_section(about: Mapping[str, Any]) -> DataSection:
    found = {name.replace("_", " "): n for name, n in about["duplicates"].items() if n}
    filtered = {"outside the word limits": about["filtered"]} if about["filtered"] else {}
    return DataSection(about["rows"], about["truncated"], found, filtered)
