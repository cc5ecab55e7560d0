"""write_run: the records, figures and report of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.data.corpus import TokenCorpus, num_texts
from ranklet.data.duplicates import DuplicatePolicy
from ranklet.errors import RunError
from ranklet.evaluation.baselines import baselines_to_json, judge_baselines, read_baselines
from ranklet.evaluation.curves import Curves
from ranklet.evaluation.data_description import DataDescription
from ranklet.evaluation.error_table import read_error_table
from ranklet.evaluation.figures import (
    Drawing,
    Record,
    budget_figures,
    data_figures,
    evaluation_figures,
    save_figures,
    stress_figures,
    training_figures,
)
from ranklet.evaluation.json_values import from_values
from ranklet.evaluation.page import duration
from ranklet.evaluation.report import (
    BudgetRow,
    BudgetSection,
    DataSection,
    embed_figures,
    render_report,
)
from ranklet.evaluation.result import Evaluation, from_json, to_json
from ranklet.evaluation.stress import Stress
from ranklet.evaluation.stress_section import stress_section
from ranklet.files import write_atomically
from ranklet.recipe import Recipe, load_recipe
from ranklet.run import Run, read_json, write_json
from ranklet.training.fit import FitResult
from ranklet.workflows.environment import environment, peak_memory_bytes
from ranklet.workflows.read_splits import Splits

Corpora = Mapping[str, TokenCorpus]
T = TypeVar("T")

EVALUATED_SPLITS = ("test", "validation")
_DUPLICATES = {
    "train_test": "training rows that occur in test",
    "train_validation": "training rows that occur in validation",
    "validation_test": "validation rows that occur in test",
    "within_train": "training rows that repeat another",
    "conflicting_labels": "of these, with another label",
    "dropped": "training rows left out",
}


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


def baselines_file(run: Run) -> Path:
    """Return where a run keeps the figures of its baselines."""
    return run.evaluation / "baselines.json"


def write_run_report(run: Run, hashes: Mapping[str, Any] | None = None) -> None:
    """Draw the figures and write the report from what lies in the run's folder.

    Args:
        run: The run; baselines, and the importance of words in its errors, are shown where they
            lie beside its evaluations.
        hashes: Of its certificate; None: those of the certificate that it has, if it has one.

    Raises:
        RunError: A file is missing, broken or cannot be written.
    """
    plan, about = read_json(run.plan), read_json(run.environment)
    records = read_records(run)
    evaluations = list(read_evaluations(run).values())
    drawings = save_figures(run.figures, run_figures(run))
    stressed = read_stress(run)
    under_stress = drawings.pop("stress", None)
    recipe = load_recipe(run.recipe)
    if hashes is None and run.certificate.is_file():
        hashes = read_json(run.certificate)["sha256"]
    page = render_report(
        title=run.folder.name,
        subtitle=f"{recipe.encoder} on {recipe.data.train}",
        evaluations=evaluations,
        baselines=read_baselines(baselines_file(run)),
        errors=read_error_table(run.evaluation, evaluations[0].split) if evaluations else None,
        budget=_budget_section(plan),
        data=_data_section(about, recipe),
        records=records,
        figures=embed_figures(drawings),
        further=() if stressed is None else (stress_section(stressed, under_stress),),
        recipe=run.recipe.read_text(encoding="utf-8"),
        facts=_training_facts(about),
        environment=about["machine"],
        hashes=_named_hashes(hashes or {}),
        command=f"ranklet train {run.recipe}\nranklet verify {run.folder}",
        seconds=about["seconds"],
    )
    write_atomically(run.report, page)


def run_figures(run: Run) -> dict[str, Drawing]:
    """Prepare every figure of a run from what lies in its folder, by name.

    The split of the headline, test where there is one, gets all figures of an evaluation; of
    validation, which chose the weights and the temperature, scores and confusions are enough.

    Raises:
        RunError: A file is missing or broken.
    """
    figures = training_figures(read_records(run))
    evaluations = read_evaluations(run)
    for split, evaluation in evaluations.items():
        is_first = split == next(iter(evaluations))
        figures |= evaluation_figures(evaluation, read_curves(run, split) if is_first else None)
    plan = read_json(run.plan)
    rows = tuple(PlanRow(**row) for row in plan["rows"])
    figures |= budget_figures(ParameterPlan(rows, plan["budget"]))
    if run.data.is_file():  # not in runs of earlier versions
        figures |= data_figures(_read(DataDescription, run.data, "train again"))
    stressed = read_stress(run)
    if stressed is not None:
        figures |= stress_figures(stressed)
    return figures


def curves_file(run: Run, split: str) -> Path:
    """Return where a run keeps the points of the curves of a split."""
    return run.evaluation / f"{split}_curves.json"


def read_curves(run: Run, split: str) -> Curves | None:
    """Read the points of the curves of a split; None in runs of earlier versions.

    Raises:
        RunError: The file is broken.
    """
    path = curves_file(run, split)
    return _read(Curves, path, "train again") if path.is_file() else None


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


def read_stress(run: Run) -> Stress | None:
    """Read what shifts did to a run; None where `ranklet stress` did not measure it.

    Raises:
        RunError: The file is broken.
    """
    path = stress_file(run)
    return _read(Stress, path, "stress the run again") if path.is_file() else None


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


def _data_section(about: Mapping[str, Any], recipe: Recipe) -> DataSection:
    found, policy = about["duplicates"], recipe.data.duplicates
    named = {text: found[name] for name, text in _DUPLICATES.items() if name in found}
    filtered = {"outside the word limits": about["filtered"]} if about["filtered"] else {}
    leakage = _leakage(found, policy, has_test="test" in about["rows"])
    return DataSection(about["rows"], about["truncated"], named, filtered, leakage)


def _leakage(found: Mapping[str, int], policy: DuplicatePolicy, has_test: bool) -> str:
    """Say what exact duplicates mean for the evaluation."""
    into_test, kept = found["train_test"], policy == "keep"
    into_validation, shared = found["train_validation"], found["validation_test"]
    if not has_test:
        verdict = "There is no test split: validation chose the weights and is judged by too."
    elif into_test and kept:
        verdict = f"Leaked: {into_test:,} training rows occur in test too and were kept, so the"
        verdict += " scores on test are too good."
    elif into_test:
        verdict = f"{into_test:,} training rows that occur in test too were left out of training."
    else:
        verdict = "No training row occurs in test."
    if into_validation:
        verdict += f" {into_validation:,} occur in validation, and were "
        verdict += "kept." if kept else "left out."
    if shared:
        verdict += f" {shared:,} validation rows occur in test."
    return verdict + " Case and punctuation do not count; near duplicates: ranklet audit."


def _training_facts(about: Mapping[str, Any]) -> dict[str, str]:
    ended = {"end": "as planned", "patience": "by patience", "interrupt": "by an interrupt"}
    facts = {
        "seed": str(about["seed"]),
        "steps": f"{about['steps']:,}, ended {ended[about['ended_by']]}",
        "kept": f"step {about['best_step']:,}",
        "time": duration(about["seconds"]),
        "peak memory": f"{about['peak_memory_bytes'] / 2**20:,.0f} MiB",
        "processes": str(about.get("ranks", 1)),
    }
    if about["averaged_steps"]:
        facts["kept"] = "the mean of steps " + ", ".join(map(str, about["averaged_steps"]))
    return facts


def _named_hashes(hashes: Mapping[str, Any]) -> dict[str, str]:
    """Name the hashes of a certificate as a page shows them, all but those of its small files."""
    flat = {name: value for name, value in hashes.items() if isinstance(value, str)}
    for kind in ("data", "encoder"):
        flat |= {f"{kind}, {name}": value for name, value in hashes.get(kind, {}).items()}
    return flat


def _read(kind: type[T], path: Path, remedy: str) -> T:
    return from_values(kind, read_json(path), str(path), remedy)
