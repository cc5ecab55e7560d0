"""The certificate of a run, from its folder and the model that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ranklet.budget.certificate import certify
from ranklet.budget.plan import ParameterPlan, count_trainable
from ranklet.classifier import ClassifierNetwork, trainable_state
from ranklet.files import sha256_file, sha256_json
from ranklet.lora.adapter_file import TENSORS_FILE
from ranklet.lora.initial import plain_tensors
from ranklet.recipe import Recipe, recipe_hash
from ranklet.run.folder import Run, read_json, write_json
from ranklet.run.records import read_records
from ranklet.saved.head import HEAD_FILE
from ranklet.saved.model import SavedClassifier

# What a clock says of a step; everything else of it repeats.
_TIMES = ("texts_per_s",)


def certify_run(
    run: Run,
    recipe: Recipe,
    plan: ParameterPlan,
    model: ClassifierNetwork,
    saved: SavedClassifier,
    data: Mapping[str, str],
) -> dict[str, Any]:
    """State what was trained, counted three ways, and which files it was trained from and into.

    The same recipe, data, encoder and machine give the same certificate: nothing in it depends on
    a clock.

    Args:
        run: The run, complete but for its certificate.
        recipe: Its recipe.
        plan: Counted from shapes.
        model: The trained model.
        saved: What its adapter folder holds, with the sums of the encoder it was trained on.
        data: SHA-256 of the data files, by field, of when they were read.

    Raises:
        ParityError: The counts differ.
        RunError: A file cannot be read.
    """
    assert saved.sums is not None, "of a classifier that ranklet saved"
    files = file_hashes(run)
    hashes: dict[str, Any] = {
        "recipe": recipe_hash(recipe),
        "adapter": files[f"{run.adapter.name}/{TENSORS_FILE}"],
        "encoder": dict(saved.sums.encoder),
        "data": dict(data),
        "files": files,
    }
    if run.metrics.is_file():
        hashes["metrics"] = metrics_hash(run)
    if (head := f"{run.adapter.name}/{HEAD_FILE}") in files:
        hashes["head"] = files[head]
    tensors = saved.tensors
    others = {"frozen_head": tensors.frozen, "folded_head": tensors.folded}
    start = plain_tensors(model, trainable_state(model))[1]
    return certify(plan, count_trainable(model), tensors.trained, hashes, others, start)


def file_hashes(run: Run) -> dict[str, str]:
    """Return the SHA-256 of the recipe, the plan, and the files of adapter and evaluation.

    Returns:
        Hashes by path below the run's folder.

    Raises:
        RunError: A file cannot be read.
    """
    paths = (run.recipe, run.plan, *run.adapter.glob("*"), *run.evaluation.glob("*"))
    return {
        path.relative_to(run.folder).as_posix(): sha256_file(path)
        for path in sorted(paths)
        if path.is_file()
    }


def write_manifest(run: Run) -> None:
    """Write the SHA-256 of every file that the certificate leaves out.

    Raises:
        RunError: A file cannot be read, or the manifest not be written.
    """
    write_json(run.manifest, other_hashes(run))


def renew_manifest(run: Run) -> None:
    """Put the report and the figures, drawn again, into the manifest of a run, if it has one.

    What it says of everything else stays as it is, as in `certify_file`.

    Raises:
        RunError: A file cannot be read, or the manifest not be written.
    """
    if run.manifest.is_file():
        drawn = (run.report.name, f"{run.figures.name}/")
        kept = {k: v for k, v in read_json(run.manifest).items() if not k.startswith(drawn)}
        new = {k: v for k, v in other_hashes(run).items() if k.startswith(drawn)}
        write_json(run.manifest, dict(sorted({**kept, **new}.items())))


def other_hashes(run: Run) -> dict[str, str]:
    """Return the SHA-256 of the files of a run that the certificate leaves out, figures included.

    Returns:
        Hashes by path below the run's folder.

    Raises:
        RunError: A file cannot be read.
    """
    described = (run.data, run.environment, run.metrics, run.report)
    paths = [path for path in (*described, *run.figures.glob("*")) if path.is_file()]
    return {path.relative_to(run.folder).as_posix(): sha256_file(path) for path in sorted(paths)}


def uncovered_files(run: Run) -> list[str]:
    """List what neither certificate nor manifest speak of, by path below the run's folder.

    Raises:
        RunError: A file cannot be read.
    """
    covered = {*file_hashes(run), *other_hashes(run), run.certificate.name, run.manifest.name}
    files = (path for path in run.folder.rglob("*") if path.is_file())
    return sorted({path.relative_to(run.folder).as_posix() for path in files} - covered)


def certify_file(run: Run, path: Path) -> None:
    """Add a file that was written after the training to the certificate of a run.

    What the certificate says of everything else stays as it is, so nothing that changed meanwhile
    is certified by this; one that holds no hashes of files gets none.

    Args:
        run: A finished run.
        path: In its `evaluation`.

    Raises:
        RunError: The certificate or the file cannot be read, or the certificate not be written.
    """
    certificate = read_json(run.certificate)
    hashes = certificate.get("sha256")
    files = hashes.get("files") if isinstance(hashes, dict) else None
    if isinstance(hashes, dict) and isinstance(files, dict):
        files = {**files, path.relative_to(run.folder).as_posix(): sha256_file(path)}
        changed = {**hashes, "files": dict(sorted(files.items()))}
        write_json(run.certificate, {**certificate, "sha256": changed})


def metrics_hash(run: Run) -> str:
    """Return the SHA-256 of every record of a training, without what a clock said.

    Raises:
        RunError: The file is missing or broken.
    """
    return sha256_json([_without_times(record) for record in read_records(run)])


def _without_times(record: object) -> object:
    if not isinstance(record, dict):  # only in a file that was changed by hand
        return record
    return {name: value for name, value in record.items() if name not in _TIMES}


def certified_data(run: Run) -> dict[str, str] | None:
    """Return the data hashes of a run's certificate, by field; None where it holds none.

    Raises:
        RunError: The certificate is missing or broken.
    """
    try:
        hashes = read_json(run.certificate)["sha256"]["data"]
        return {str(field): str(digest) for field, digest in hashes.items()}
    except (KeyError, TypeError, AttributeError):
        return None
