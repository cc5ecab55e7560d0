"""The figures and the page of a run, from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.evaluation.data_description import DataDescription
from ranklet.evaluation.report import figures, run_page
from ranklet.evaluation.report.error_table import ErrorTable, read_error_table
from ranklet.evaluation.report.stress_section import stress_section
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.stress import Stress
from ranklet.evaluation.wording import duration, memory
from ranklet.files import write_atomically
from ranklet.local_paths import shortened
from ranklet.recipe import Recipe, load_recipe
from ranklet.run import reading
from ranklet.run.folder import Run, read_json
from ranklet.run.records import read_records
from ranklet.vocabulary import DuplicatePolicy

_DUPLICATES = {
    "train_test": "training rows that occur in test",
    "train_validation": "training rows that occur in validation",
    "validation_test": "validation rows that occur in test",
    "within_train": "training rows that repeat another",
    "conflicting_labels": "of these, with another label",
    "dropped": "training rows left out",
}


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
    counted = ParameterPlan(tuple(PlanRow(**row) for row in plan["rows"]), plan["budget"])
    records = read_records(run)
    evaluations = list(reading.read_evaluations(run).values())
    stressed = reading.read_stress(run)
    drawings = figures.save_figures(
        run.figures, _figures(run, counted, records, evaluations, stressed)
    )
    under_stress = drawings.pop("stress", None)
    recipe = load_recipe(run.recipe, as_shared=True)
    if hashes is None and run.certificate.is_file():
        hashes = read_json(run.certificate)["sha256"]
    errors = _errors(run, evaluations[0].split) if evaluations else None
    page = run_page.render_report(
        run.folder.name,
        f"{recipe.encoder} on {recipe.data.train}",
        results=run_page.Results(evaluations, reading.read_baselines(run), errors),
        budget=counted,
        data=_data_section(about, recipe),
        training=run_page.Training(records, _training_facts(about), about["seconds"]),
        provenance=run_page.Provenance(
            recipe=run.recipe.read_text(encoding="utf-8"),
            command=_commands(run),
            environment=about["machine"],
            hashes=_named_hashes(hashes or {}),
        ),
        figures=run_page.embed_figures(drawings),
        further=() if stressed is None else (stress_section(stressed, under_stress),),
    )
    write_atomically(run.report, page)


def _commands(run: Run) -> str:
    """Return what repeats and verifies a run, as a shell takes it."""
    folder = run.folder if not run.folder.is_absolute() else Path(shortened(str(run.folder)))
    recipe = quote(f"{folder}/{run.recipe.name}")
    return f"ranklet train {recipe}\nranklet verify {quote(str(folder))}"


def _figures(
    run: Run,
    plan: ParameterPlan,
    records: Sequence[figures.Record],
    evaluations: Sequence[Evaluation],
    stressed: Stress | None,
) -> dict[str, figures.Drawing]:
    """Prepare every figure of a run, by name.

    The split of the headline, test where there is one, gets all figures of an evaluation; of
    validation, which chose the weights and the temperature, scores and confusions are enough.
    """
    drawings = figures.training_figures(records)
    for place, evaluation in enumerate(evaluations):
        curves = reading.read_curves(run, evaluation.split) if place == 0 else None
        drawings |= figures.evaluation_figures(evaluation, curves)
    drawings |= figures.budget_figures(plan)
    drawings |= figures.data_figures(reading.read_values(DataDescription, run.data, "train again"))
    if stressed is not None:
        drawings |= figures.stress_figures(stressed)
    return drawings


def _errors(run: Run, split: str) -> ErrorTable | None:
    return read_error_table(run.errors(split), split, reading.read_importance(run, split))


def _data_section(about: Mapping[str, Any], recipe: Recipe) -> run_page.DataSummary:
    duplicates, policy = about["duplicates"], recipe.data.duplicates
    named = {text: duplicates[name] for name, text in _DUPLICATES.items() if name in duplicates}
    counts = {"without a text": about.get("empty"), "outside the word limits": about["filtered"]}
    filtered = {name: count for name, count in counts.items() if count}
    leakage = _leakage(duplicates, policy, has_test="test" in about["rows"])
    return run_page.DataSummary(about["rows"], about["truncated"], named, filtered, leakage)


def _leakage(duplicates: Mapping[str, int], policy: DuplicatePolicy, has_test: bool) -> str:
    """Say what exact duplicates mean for the evaluation."""
    into_test, are_kept = duplicates["train_test"], policy == "keep"
    into_validation, shared = duplicates["train_validation"], duplicates["validation_test"]
    if not has_test:
        verdict = "There is no test split: validation chose the weights and is judged by too."
    elif into_test and are_kept:
        verdict = f"Leaked: {into_test:,} training rows occur in test too and were kept, so the"
        verdict += " scores on test are too good."
    elif into_test:
        verdict = f"{into_test:,} training rows that occur in test too were left out of training."
    else:
        verdict = "No training row occurs in test."
    if into_validation:
        verdict += f" {into_validation:,} occur in validation, and were "
        verdict += "kept." if are_kept else "left out."
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
        "peak memory": memory(about["peak_memory_bytes"]),
        "processes": str(about.get("processes", 1)),
    }
    if about.get("refit"):
        facts["then"] = f"trained again on {about['refit']:,} texts, validation's among them"
    if about["averaged_steps"]:
        facts["kept"] = "the mean of steps " + ", ".join(map(str, about["averaged_steps"]))
    return facts


def _named_hashes(hashes: Mapping[str, Any]) -> dict[str, str]:
    """Name the hashes of a certificate as a page shows them, all but those of its small files."""
    flat = {name: value for name, value in hashes.items() if isinstance(value, str)}
    for kind in ("data", "encoder"):
        flat |= {f"{kind}, {name}": value for name, value in hashes.get(kind, {}).items()}
    return flat
