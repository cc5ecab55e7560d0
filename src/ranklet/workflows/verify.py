"""verify: derive everything that a run states once more, and compare.

The certificate is no signature: whoever changes a file and every hash of it is noticed only by what
is computed again here, which is the counts, the plan, the probe logits and, with data, the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from ranklet.budget.plan import ParameterPlan, count_trainable
from ranklet.classifier import TextClassifier
from ranklet.encoder.precision import (
    Device,
    Precision,
    choose_device,
    choose_dtype,
    prepare_memory,
)
from ranklet.encoder.source import encoder_folder
from ranklet.errors import DataError, RankletError, RunError
from ranklet.evaluation.result import Evaluation, from_json
from ranklet.files import sha256_file, sha256_json
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import TENSORS_FILE, AdapterFile
from ranklet.lora.peft_config import SUBTRACTED_INITS
from ranklet.recipe import Recipe, load_recipe
from ranklet.recipe.tree import parse_tree, plain
from ranklet.run import Run, open_run, read_json
from ranklet.saved_head import read_tensors
from ranklet.saved_model import ClassifierSettings, assemble, check_head, read_saved
from ranklet.saved_probes import check_probes, compute_dtype
from ranklet.workflows.certify_run import encoder_hashes, file_hashes, metrics_hash
from ranklet.workflows.evaluate import evaluate
from ranklet.workflows.plan import plan_for_labels
from ranklet.workflows.write_run import EVALUATED_SPLITS, read_records

State = Literal["ok", "differs", "not checked"]
Finding = tuple[State, str]

# Largest accepted difference of an accuracy that was computed on another machine, whose kernels
# round differently: texts between two labels change sides. On fewer than 2,000 texts it is none.
FIGURE_TOLERANCE = {torch.float32: 5e-4, torch.float16: 2e-3, torch.bfloat16: 5e-3}


@dataclass(frozen=True)
class Check:
    """What one check of a run found.

    Attributes:
        name: What was checked.
        state: `ok`, `differs` or `not checked`.
        detail: What agrees, what differs, or why it was not checked.
    """

    name: str
    state: State
    detail: str


def verify(
    path: str | Path,
    data: str | None = None,
    *,
    encoder: str | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
) -> tuple[Check, ...]:
    """Derive again what a run states: plan, counts, hashes, probe logits, test figure.

    Args:
        path: A finished run.
        data: Test data, to compute the test figure again; None: the figure is not computed.
        encoder: Used instead of the encoder that the run names.
        device: Where it computes.
        precision: Compute dtype; `auto` is what the run's recipe says.

    Returns:
        One entry for each check; the run is as it states where none differs.

    Raises:
        RunError: There is no finished run.
        DataError: The data cannot be read.
    """
    stated = _Stated(open_run(Path(path)), encoder, device, precision)
    prepare_memory()
    return tuple(_checks(stated, data))


@dataclass(frozen=True)
class _Stated:
    """A run's files, each read when it is first needed."""

    run: Run
    encoder_option: str | None
    device_option: Device
    precision_option: Precision

    @cached_property
    def certificate(self) -> dict[str, Any]:
        return read_json(self.run.certificate)

    @cached_property
    def recipe(self) -> Recipe:
        return load_recipe(self.run.recipe)

    @cached_property
    def saved(self) -> tuple[ClassifierSettings, LabelSet, AdapterFile]:
        return read_saved(self.run.adapter, encoder=self.encoder_option)

    @cached_property
    def encoder(self) -> Path:
        return encoder_folder(self.encoder_option or self.saved[0].encoder)

    @cached_property
    def plan(self) -> ParameterPlan:
        name = self.encoder_option or self.recipe.encoder
        recipe = self.recipe.model_copy(update={"encoder": name})
        return plan_for_labels(recipe, len(self.saved[1]))

    @cached_property
    def precision(self) -> Precision:
        chosen = self.precision_option
        return self.recipe.engine.precision if chosen == "auto" else chosen

    @cached_property
    def model(self) -> TextClassifier:
        settings, labels, adapter = self.saved
        device = choose_device(self.device_option)
        dtype = choose_dtype(self.precision, device)
        model = assemble(settings, labels, adapter, dtype=dtype, device=device)
        check_head(model, self.run.adapter, settings.head)
        return model

    @cached_property
    def start(self) -> int:
        """Numbers of the adapter that did not train: its start, which is half of every pair."""
        if self.recipe.adapter.init not in SUBTRACTED_INITS:
            return 0
        pairs = (".lora_A.weight", ".lora_B.weight")
        tensors = self.saved[2].tensors
        return sum(t.numel() for name, t in tensors.items() if name.endswith(pairs)) // 2

    def hashes(self, name: str) -> Any:
        """Return what the certificate holds under a name of its hashes, or None."""
        try:
            held = self.certificate.get("sha256")
        except RunError:
            return None
        return held.get(name) if isinstance(held, Mapping) else None

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Files whose hash is not the certificate's, by path below the run's folder."""
        held, found = self.hashes("files"), file_hashes(self.run)
        if not isinstance(held, Mapping):
            return ()
        return tuple(name for name in sorted({*held, *found}) if held.get(name) != found.get(name))


def _checks(stated: _Stated, data: str | None) -> Iterator[Check]:
    unreachable = _why_no_encoder(stated)
    yield _checked("certificate", _certificate, stated)
    yield _checked("recipe", _recipe, stated)
    # The sizes of a known encoder need no files; those of another one do.
    yield _checked("plan", _plan, stated, excuse=unreachable)
    for name, check in (
        ("adapter", _adapter),
        ("saved tensors", _saved),
        ("metrics", _metrics),
        ("evaluation", _evaluations),
    ):
        yield _checked(name, check, stated)
    for split in ("train", "validation", "test"):
        yield from _data_checks(stated, split)
    for name, check in (
        ("encoder", _encoder),
        ("reloaded model", _model),
        ("probe logits", _probes),
        ("test figure", lambda stated: _figure(stated, data)),
    ):
        if unreachable is None:
            yield _checked(name, check, stated)
        else:
            yield Check(name, "not checked", unreachable)


def _checked(
    name: str, check: Callable[[_Stated], Finding], stated: _Stated, excuse: str | None = None
) -> Check:
    try:
        state, detail = check(stated)
    except DataError:
        raise  # of --data, the only data that is read: the user's mistake, not the run's
    except RankletError as error:
        state, detail = ("not checked", excuse) if excuse else ("differs", str(error))
    return Check(name, state, " ".join(detail.split()))


def _why_no_encoder(stated: _Stated) -> str | None:
    try:
        _ = stated.encoder
    except RankletError as error:
        return str(error)
    return None


def _certificate(stated: _Stated) -> Finding:
    held = stated.certificate
    counts = [held.get(name) for name in ("planned", "counted", "saved")]
    planned, budget = counts[0], held.get("budget")
    if not isinstance(planned, int) or not isinstance(budget, int) or counts != [planned] * 3:
        return "differs", f"planned, counted and saved are {counts} of a budget of {budget}"
    if held.get("within_budget") is not (planned <= budget) or budget != stated.recipe.budget:
        asked = f"the recipe's budget is {stated.recipe.budget:,}"
        return (
            "differs",
            f"{planned:,} of {budget:,}, within_budget {held.get('within_budget')}; {asked}",
        )
    return "ok", f"planned, counted and saved: {planned:,} of {budget:,} parameters"


def _recipe(stated: _Stated) -> Finding:
    _ = stated.recipe  # whatever is wrong with the file is said here
    # Of the text, not of the recipe as it is read today: a later ranklet knows more fields.
    text = stated.run.recipe.read_text(encoding="utf-8-sig")
    written = plain(parse_tree(text, lambda line: f"{stated.run.recipe}:{line}")[0])
    touched = _touched(stated, stated.run.recipe.name)
    return _compared(sha256_json(written), stated.hashes("recipe"), touched)


def _plan(stated: _Stated) -> Finding:
    held, found = read_json(stated.run.plan), stated.plan.to_json()
    differing = sorted(name for name in {*held, *found} if held.get(name) != found.get(name))
    if differing:
        return "differs", f"plan.json states another {', '.join(differing)} than the recipe gives"
    if found["total"] != stated.certificate.get("planned"):
        return "differs", f"{found['total']:,} parameters from the recipe, not as certified"
    return "ok", f"{found['total']:,} parameters from shapes alone"


def _adapter(stated: _Stated) -> Finding:
    found = sha256_file(stated.run.adapter / TENSORS_FILE)
    return _compared(found, stated.hashes("adapter"), _touched(stated, stated.run.adapter.name))


def _saved(stated: _Stated) -> Finding:
    trained = read_tensors(stated.run.adapter, stated.saved[0].head).trained
    in_file = sum(tensor.numel() for tensor in trained.values())
    return _counted(in_file - stated.start, stated)


def _model(stated: _Stated) -> Finding:
    # The start of an adapter is plain LoRA in the files, so it would train if this model did.
    return _counted(count_trainable(stated.model) - stated.start, stated)


def _counted(found: int, stated: _Stated) -> Finding:
    same = found == stated.certificate.get("planned")
    return ("ok" if same else "differs"), f"{found:,} trained parameters"


def _encoder(stated: _Stated) -> Finding:
    held = stated.hashes("encoder")
    if not isinstance(held, Mapping):
        return "not checked", "the certificate holds no hash of it"
    found = encoder_hashes(stated.encoder)
    differing = [name for name in sorted({*held, *found}) if held.get(name) != found.get(name)]
    return _listed(differing, f"{', '.join(found)} in {stated.encoder}")


def _probes(stated: _Stated) -> Finding:
    difference = check_probes(stated.model, stated.run.adapter)
    if difference is None:
        return "differs", "the adapter holds no probe logits"
    return "ok", f"largest difference of a logit {difference:.2g}"


def _metrics(stated: _Stated) -> Finding:
    held, path = stated.hashes("metrics"), stated.run.metrics
    if held is None:
        trained = "the certificate holds no hash of it" if path.exists() else "there is none"
        return "not checked", f"{path.name}: {trained}"
    if metrics_hash(stated.run) != held:
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


def _evaluations(stated: _Stated) -> Finding:
    found = {name: _evaluation(stated.run, name) for name in EVALUATED_SPLITS}
    present = {name: evaluation for name, evaluation in found.items() if evaluation is not None}
    wrong = [
        f"{stated.run.evaluation.name}/{name}.json"
        for name, evaluation in present.items()
        if not _is_consistent(evaluation)
    ]
    wrong += [name for name in _touched(stated, stated.run.evaluation.name) if name not in wrong]
    if not wrong and stated.hashes("files") is None:
        return "not checked", "consistent, but the certificate holds no hash of it"
    figures = [f"{name} accuracy {each.accuracy.value:.4f}" for name, each in present.items()]
    return _listed(wrong, ", ".join(figures) or "none")


def _evaluation(run: Run, name: str) -> Evaluation | None:
    path = run.evaluation / f"{name}.json"
    return from_json(read_json(path)) if path.exists() else None


def _is_consistent(evaluation: Evaluation) -> bool:
    confusion = evaluation.confusion
    rows = sum(map(sum, confusion))
    hits = sum(row[label] for label, row in enumerate(confusion) if label < len(row))
    return rows == evaluation.rows and hits / max(1, rows) == evaluation.accuracy.value


def _data_checks(stated: _Stated, split: str) -> Iterator[Check]:
    """Check the hash of a split's file; a count out of train has no file to check."""
    try:
        source = getattr(stated.recipe.data, split)
    except RankletError:
        return  # said by the check of the recipe
    if not isinstance(source, str):
        return
    hashes = stated.hashes("data")
    name, held = f"{split} data", hashes.get(split) if isinstance(hashes, Mapping) else None
    if held is None:
        reason = f"the certificate holds no hash of {source}, a named set or a data set of the hub"
        yield Check(name, "not checked", reason)
    elif not Path(source).is_file():
        yield Check(name, "not checked", f"{source} is not here")
    else:
        yield _checked(
            name, lambda _: _compared(sha256_file(Path(source)), held, (), source), stated
        )


def _figure(stated: _Stated, data: str | None) -> Finding:
    if data is None:
        return "not checked", "give the test data with --data"
    held = _evaluation(stated.run, "test")
    if held is None:
        return "not checked", "the run holds no test figure"
    found = evaluate(
        stated.run.folder,
        data,
        encoder=stated.encoder_option,
        device=stated.device_option,
        precision=stated.precision,
    )
    detail = f"accuracy {found.accuracy.value:.4f} on {found.rows:,} texts"
    off = abs(found.accuracy.value - held.accuracy.value)
    if found.rows != held.rows or off > _tolerance(stated):
        return "differs", f"{detail}; stored: {held.accuracy.value:.4f} on {held.rows:,}"
    return "ok", detail


def _tolerance(stated: _Stated) -> float:
    machine = read_json(stated.run.environment).get("machine")
    named = machine.get("precision") if isinstance(machine, Mapping) else None
    trained = getattr(torch, str(named), torch.float32)
    return max(FIGURE_TOLERANCE.get(trained, 0.0), FIGURE_TOLERANCE[compute_dtype(stated.model)])


def _touched(stated: _Stated, place: str) -> tuple[str, ...]:
    """List the changed files of a run at or below one of its entries."""
    return tuple(n for n in stated.changed if n == place or n.startswith(f"{place}/"))


def _compared(found: str, held: object, touched: tuple[str, ...], what: str = "") -> Finding:
    if held is None:
        return "differs", "the certificate holds no hash of it"
    if found == held and not touched:
        return "ok", f"{what} SHA-256 {found[:12]}…".strip()
    return _listed(list(touched) or [what or "its content"], "")


def _listed(wrong: list[str], right: str) -> Finding:
    return ("differs", f"not as certified: {', '.join(wrong)}") if wrong else ("ok", right)
