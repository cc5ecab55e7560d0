"""The checks of `verify`, each from what a run states to what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch

from ranklet.budget.plan import count_trainable
from ranklet.data.reading.memory import IN_MEMORY, Data
from ranklet.data.reading.sources import data_sha256
from ranklet.errors import DataError, RankletError, RunError
from ranklet.evaluation.answers import evaluate_on
from ranklet.evaluation.predictions import read_predictions
from ranklet.evaluation.result import Evaluation, LabelSetFigures
from ranklet.files import differing_names, sha256_json
from ranklet.lora.adapter_file import TENSORS_FILE
from ranklet.recipe.tree import plain
from ranklet.recipe.yaml_tree import parse_tree
from ranklet.run.certificate import metrics_hash, other_hashes, uncovered_files
from ranklet.run.folder import read_json
from ranklet.run.reading import read_evaluations
from ranklet.run.records import read_records
from ranklet.saved.file_sums import encoder_sums
from ranklet.saved.probes import check_probes, compute_dtype
from ranklet.vocabulary import Split
from ranklet.workflows._verify.claims import StatedRun
from ranklet.workflows.from_recipe.labelled_texts import read_labelled

State = Literal["ok", "differs", "not checked"]
Finding = tuple[State, str]
"""The state, and what agrees, what differs, or why it was not checked."""

# Largest accepted difference of an accuracy that was computed on another machine, whose kernels
# round differently: texts between two labels change sides. On fewer than 2,000 texts it is none.
FIGURE_TOLERANCE = {torch.float32: 5e-4, torch.float16: 2e-3, torch.bfloat16: 5e-3}


def check_certificate(stated: StatedRun) -> Finding:
    """Compare the three counts with each other and with the budget."""
    certificate = stated.certificate
    counts = [certificate.get(name) for name in ("planned", "counted", "saved")]
    planned, budget = counts[0], certificate.get("budget")
    if not isinstance(planned, int) or not isinstance(budget, int) or counts != [planned] * 3:
        return "differs", f"planned, counted and saved are {counts} of a budget of {budget}"
    within = certificate.get("within_budget")
    if within is not (planned <= budget) or budget != stated.recipe.budget:
        return "differs", (
            f"{planned:,} of {budget:,}, within_budget {within}; "
            f"the recipe's budget is {stated.recipe.budget:,}"
        )
    return "ok", f"planned, counted and saved: {planned:,} of {budget:,} parameters"


def check_recipe(stated: StatedRun) -> Finding:
    """Compare the hash of the recipe."""
    _ = stated.recipe  # whatever is wrong with the file is said here
    # Of the text, not of the recipe as it is read today: a later ranklet knows more fields.
    text = stated.run.recipe.read_text(encoding="utf-8-sig")
    written = plain(parse_tree(text, lambda line: f"{stated.run.recipe}:{line}")[0])
    touched = stated.touched(stated.run.recipe.name)
    return _compared(sha256_json(written), stated.hashes("recipe"), touched)


def check_plan(stated: StatedRun) -> Finding:
    """Compare the plan with that of the recipe, counted again."""
    written, plan = read_json(stated.run.plan), stated.plan.to_json()
    differing = differing_names(written, plan)
    if differing:
        return "differs", f"plan.json states another {', '.join(differing)} than the recipe gives"
    if plan["total"] != stated.certificate.get("planned"):
        return "differs", f"{plan['total']:,} parameters from the recipe, not as certified"
    return "ok", f"{plan['total']:,} parameters from shapes alone"


def check_adapter(stated: StatedRun) -> Finding:
    """Compare the hashes of the adapter folder."""
    folder = stated.run.adapter.name
    path = f"{folder}/{TENSORS_FILE}"
    if path not in stated.files:
        return "differs", f"{path} is missing"
    return _compared(stated.files[path], stated.hashes("adapter"), stated.touched(folder))


def check_saved(stated: StatedRun) -> Finding:
    """Count the trained parameters in the files."""
    in_file = sum(tensor.numel() for tensor in stated.saved.tensors.trained.values())
    return _counted(in_file - stated.start, stated)


def check_model(stated: StatedRun) -> Finding:
    """Count the trained parameters of the classifier that the files make."""
    # The start of an adapter is plain LoRA in the files, so it would train if this model did.
    return _counted(count_trainable(stated.model) - stated.start, stated)


def _counted(count: int, stated: StatedRun) -> Finding:
    same = count == stated.certificate.get("planned")
    return ("ok" if same else "differs"), f"{count:,} trained parameters"


def check_encoder(stated: StatedRun) -> Finding:
    """Compare the hashes of the encoder's files."""
    certified, folder = stated.hashes("encoder"), stated.saved.encoder.folder
    if not isinstance(certified, Mapping):
        return "not checked", "the certificate holds no hash of it"
    actual = encoder_sums(folder)
    return _listed(differing_names(certified, actual), f"{', '.join(actual)} in {folder}")


def check_probe_logits(stated: StatedRun) -> Finding:
    """Compute the probe logits again."""
    difference = check_probes(stated.model, stated.saved.probes)
    if difference is None:
        return "differs", "the adapter holds no probe logits"
    return "ok", f"largest difference of a logit {difference:.2g}"


def check_metrics(stated: StatedRun) -> Finding:
    """Compare the hash of the training records, and the best of them with what is said of it."""
    certified, path = stated.hashes("metrics"), stated.run.metrics
    if certified is None:
        trained = "the certificate holds no hash of it" if path.exists() else "there is none"
        return "not checked", f"{path.name}: {trained}"
    if metrics_hash(stated.run) != certified:
        return "differs", f"{path.name} is not as certified"
    about = read_json(stated.run.environment)
    step, best = about.get("best_step"), about.get("best_validation")
    recorded = [
        {name: record.get(name) for name in best}
        for record in read_records(stated.run)
        if record["kind"] == "validation" and record["step"] == step and isinstance(best, Mapping)
    ]
    if best not in recorded:
        return "differs", f"{stated.run.environment.name} states another best validation"
    return "ok", f"as certified; best validation at step {step}"


def check_evaluations(stated: StatedRun) -> Finding:
    """Compare the hashes of the evaluations, and their figures with their confusion matrices."""
    present = read_evaluations(stated.run)
    wrong = [
        stated.run.evaluation_of(name).relative_to(stated.run.folder).as_posix()
        for name, evaluation in present.items()
        if not _is_consistent(evaluation)
    ]
    wrong += [
        path.relative_to(stated.run.folder).as_posix()
        for name, evaluation in present.items()
        if (path := stated.run.predictions(name)).exists() and not _fits(path, evaluation)
    ]
    wrong += [name for name in stated.touched(stated.run.evaluation.name) if name not in wrong]
    if not wrong and stated.hashes("files") is None:
        return "not checked", "consistent, but the certificate holds no hash of it"
    figures = [
        f"{name} {evaluation.accuracy_name} {evaluation.accuracy.value:.4f}"
        for name, evaluation in present.items()
    ]
    return _listed(wrong, ", ".join(figures) or "none")


def check_others(stated: StatedRun) -> Finding:
    """Compare the hashes of what a clock is in, and list what nobody vouches for."""
    uncovered = uncovered_files(stated.run)
    note = f"; not covered: {', '.join(uncovered)}" if uncovered else ""
    if not stated.run.manifest.is_file():
        return "not checked", f"there is no {stated.run.manifest.name}{note}"
    actual = other_hashes(stated.run)
    state, detail = _listed(differing_names(read_json(stated.run.manifest), actual), "")
    return state, (detail or f"{len(actual)} files, with report and figures") + note


def _fits(path: Path, evaluation: Evaluation) -> bool:
    """Tell whether the predictions of each row give the accuracy that is stated."""
    try:
        right = read_predictions(path).right
    except RunError:
        return False
    return len(right) == evaluation.rows and right.sum() / len(right) == evaluation.accuracy.value


def _is_consistent(evaluation: Evaluation) -> bool:
    if evaluation.label_sets is not None:
        return _counts_agree(evaluation, evaluation.label_sets)
    confusion = evaluation.confusion
    rows = sum(map(sum, confusion))
    hits = sum(row[label] for label, row in enumerate(confusion) if label < len(row))
    return rows == evaluation.rows and hits / max(1, rows) == evaluation.accuracy.value


def _counts_agree(evaluation: Evaluation, figures: LabelSetFigures) -> bool:
    """Tell whether the counts of each label give the figures that follow from them."""
    decisions = evaluation.rows * len(evaluation.labels)
    wrong = sum(fp + fn for _, fp, fn, _ in figures.confusion)
    hits = sum(tp for *_, tp in figures.confusion)
    whole = all(sum(counts) == evaluation.rows for counts in figures.confusion)
    f1_micro = 2 * hits / max(1, 2 * hits + wrong)
    return whole and (wrong / max(1, decisions), f1_micro) == (
        figures.hamming_loss.value,
        figures.f1_micro.value,
    )


def named_data(stated: StatedRun, split: str) -> str | None:
    """Return what the recipe names for a split; None where nothing, or a count out of train."""
    try:
        source = getattr(stated.recipe.data, split)
    except RankletError:
        return None  # said by the check of the recipe
    return source if isinstance(source, str) else None


def check_data(stated: StatedRun, split: Split, source: str) -> Finding:
    """Compare the hash of a split's file."""
    hashes = stated.hashes("data")
    certified = hashes.get(split) if isinstance(hashes, Mapping) else None
    if certified is None:
        reason = f"the certificate holds no hash of {source}, a named set or a data set of the hub"
        return "not checked", reason
    if source == IN_MEMORY:
        return "not checked", "the texts were in memory, and the run does not keep them"
    try:
        computed = data_sha256(source, split)
    except DataError:
        return "not checked", f"{source} is not here"
    return _compared(str(computed), certified, (), source)


def check_figure(stated: StatedRun, data: Data | None) -> Finding:
    """Compute the accuracy, or exact match, on test again.

    Raises:
        DataError: The data cannot be read.
    """
    if data is None:
        return "not checked", "give the test data with --data"
    stored = read_evaluations(stated.run).get("test")
    if stored is None:
        return "not checked", "the run holds no test figure"
    test = read_labelled(data, "test", stated.run, stated.model)
    computed = evaluate_on(stated.model, test, "test")
    detail = f"{computed.accuracy_name} {computed.accuracy.value:.4f} on {computed.rows:,} texts"
    off = abs(computed.accuracy.value - stored.accuracy.value)
    if computed.rows != stored.rows or off > _tolerance(stated):
        return "differs", f"{detail}; stored: {stored.accuracy.value:.4f} on {stored.rows:,}"
    return "ok", detail


def _tolerance(stated: StatedRun) -> float:
    machine = read_json(stated.run.environment).get("machine")
    named = machine.get("precision") if isinstance(machine, Mapping) else None
    trained = getattr(torch, str(named), torch.float32)
    return max(FIGURE_TOLERANCE.get(trained, 0.0), FIGURE_TOLERANCE[compute_dtype(stated.model)])


def _compared(actual: str, certified: object, touched: Sequence[str], what: str = "") -> Finding:
    if certified is None:
        return "differs", "the certificate holds no hash of it"
    if actual == certified and not touched:
        return "ok", f"{what} SHA-256 {actual[:12]}…".strip()
    return _listed(list(touched) or [what or "its content"], "")


def _listed(wrong: list[str], right: str) -> Finding:
    return ("differs", f"not as certified: {', '.join(wrong)}") if wrong else ("ok", right)
