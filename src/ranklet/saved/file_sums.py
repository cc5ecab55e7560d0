"""SHA-256 of what a classifier was saved with: the files beside it, and those of its encoder.

The probe logits notice what changes an answer; most flipped bits change none that is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weight_files import weight_files
from ranklet.errors import AdapterError, WeightsError
from ranklet.files import sha256_file

_REMEDY = "restore it; `ranklet verify RUN` names every changed file of a run"


@dataclass(frozen=True)
class FileSums:
    """What the files of a classifier were when it was saved, SHA-256 by name.

    Attributes:
        files: Those of its folder, but for those that people edit.
        encoder: Config and weights of the encoder it stands on; empty: of any encoder.
    """

    files: Mapping[str, str]
    encoder: Mapping[str, str]


def sums_of(folder: Path, encoder: EncoderSource) -> FileSums:
    """Take the sums of a folder that is complete but for what people edit.

    Raises:
        RunError: A file cannot be read.
        WeightsError: The encoder's folder holds no weights.
        HubError: The hub is needed and cannot be had.
    """
    names = sorted(path.name for path in folder.iterdir())
    files = {name: sha256_file(folder / name) for name in names}
    return FileSums(files, encoder_sums(encoder.folder))


def encoder_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of an encoder's config and weights files, by name.

    Raises:
        WeightsError: The folder holds no weights.
        RunError: A file cannot be read.
    """
    paths = (folder / "config.json", *weight_files(folder))
    return {path.name: sha256_file(path) for path in paths}


def read_sums(values: object, path: Path) -> FileSums:
    """Read sums as JSON values.

    Raises:
        AdapterError: They are missing or broken.
    """
    try:
        return TypeAdapter(FileSums).validate_python(values)
    except ValidationError as error:
        raise AdapterError(
            f"{path}: sha256: must hold the sums of the files that the classifier was saved with; "
            "restore it, or train again"
        ) from error


def check_files(folder: Path, sums: FileSums, needed: tuple[str, ...]) -> None:
    """Refuse a folder whose files are not those that were saved.

    Args:
        folder: Of a saved classifier.
        sums: Of its files.
        needed: Files that must be there, and that count only if they were saved.

    Raises:
        AdapterError: Names the file.
    """
    for name in (*needed, *sums.files):
        path = folder / name
        if path.name != name or not path.is_file():
            raise AdapterError(f"{path}: is missing, and was there when it was saved; {_REMEDY}")
        if sums.files.get(name) != sha256_file(path):
            raise AdapterError(f"{path}: is not the file that was saved; {_REMEDY}")


def check_encoder(encoder: EncoderSource, sums: FileSums) -> None:
    """Refuse an encoder other than the one that a classifier was saved with.

    Raises:
        WeightsError: Names the file.
        HubError: The hub is needed and cannot be had.
    """
    if not sums.encoder:
        return
    actual = encoder_sums(encoder.folder)
    for name in (*sums.encoder, *actual):
        if sums.encoder.get(name) != actual.get(name):
            raise WeightsError(
                f"{encoder.folder / name}: encoder {encoder.name!r} has not the files that the "
                "classifier was trained on; name those with --encoder FOLDER, which may hold them "
                "in another form"
            )
