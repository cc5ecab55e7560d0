"""What a saved classifier is besides its tensors: `classifier.json` and `labels.json`, read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ranklet.encoder.source import EncoderSource
from ranklet.errors import AdapterError
from ranklet.files import read_json_object
from ranklet.labels import LabelSet
from ranklet.local_paths import local_path
from ranklet.lora.adapter_file import CONFIG_FILE, AdapterFile
from ranklet.saved.assembly import ClassifierSettings
from ranklet.saved.file_sums import FileSums, read_sums
from ranklet.saved.foreign import (
    bare_settings,
    count_outputs,
    is_whole_classifier,
    stated_label_names,
)
from ranklet.saved.head import HEAD_FILE
from ranklet.saved.probes import PROBES_FILE
from ranklet.vocabulary import ProblemType

LABELS_FILE = "labels.json"
CLASSIFIER_FILE = "classifier.json"
SUMS_FIELD = "sha256"

# Of an encoder, characters: as much as a path may have.
LONGEST_NAME = 4096


def read_settings(
    folder: Path, adapter: AdapterFile, encoder: str | None, problem_type: ProblemType | None
) -> tuple[ClassifierSettings, EncoderSource, FileSums | None]:
    """Read what a classifier is, where its encoder is, and the sums of both.

    Args:
        folder: Of the classifier.
        adapter: What its adapter file holds.
        encoder: Used instead of the encoder that the folder names.
        problem_type: For a folder that does not say it; None: what it says.

    Raises:
        AdapterError: The settings are missing, broken or of no classifier.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
    """
    path = folder / CLASSIFIER_FILE
    if path.exists():
        settings, sums = _read_classifier_file(path)
        _encoder_name(settings.encoder, path)
        if problem_type not in (None, settings.problem_type):
            raise AdapterError(f"{path}: says {settings.problem_type}; leave out --problem-type")
        if encoder is None:
            settings = replace(settings, encoder=_encoder_of(folder, settings.encoder))
        else:
            settings, sums = replace(settings, encoder=encoder), replace(sums, encoder={})
        return settings, EncoderSource(settings.encoder), sums
    if not is_whole_classifier(folder):
        _refuse_remains(path)
    _encoder_name(adapter.base_model, folder / CONFIG_FILE)
    return (*bare_settings(folder, adapter, encoder, problem_type), None)


def _encoder_name(name: str | None, path: Path) -> str | None:
    """Refuse what is no name of an encoder: it would reach messages, the disk and the hub."""
    if name is not None and not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
        raise AdapterError(
            f"{path}: {name[:80]!a} is no name of an encoder; write a folder or a hub id there, or "
            "name one with --encoder"
        )
    return name


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _encoder_of(folder: Path, written: str) -> str:
    """Return where the encoder of a saved classifier is, as it or the run around it remembers."""
    places = (folder, folder.absolute().parent)
    paths = (local_path(place, "encoder", written) for place in places)
    return next((path for path in paths if path != written), written)


def _read_classifier_file(path: Path) -> tuple[ClassifierSettings, FileSums]:
    fields = read_json_object(path, AdapterError)
    sums = read_sums(fields.pop(SUMS_FIELD, None), path)
    unknown = fields.keys() - {field.name for field in dataclass_fields(ClassifierSettings)}
    if unknown:  # a field ignored is a classifier that answers differently
        raise AdapterError(f"{path}: {min(unknown)}: no such field; restore the file")
    try:
        return TypeAdapter(ClassifierSettings).validate_python(fields), sums
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AdapterError(f"{path}: {where}: {first['msg']}") from error


def _refuse_remains(path: Path) -> None:
    """Refuse what is left of a saved classifier, which would be read as a bare PEFT adapter."""
    for name in (LABELS_FILE, PROBES_FILE, HEAD_FILE):
        if path.with_name(name).exists():
            raise AdapterError(
                f"{path}: is missing, and {name} beside it is of a classifier that ranklet saved; "
                "restore it, or leave PEFT's two files alone in the folder"
            )


def check_thresholds(folder: Path, settings: ClassifierSettings, labels: LabelSet) -> None:
    """Refuse thresholds that are not one for each label.

    Raises:
        AdapterError: They are not.
    """
    thresholds = settings.thresholds
    if thresholds is None:
        return
    single = settings.problem_type == "single_label_classification"
    in_range = all(0 <= threshold <= 1 for threshold in thresholds)
    if single or len(thresholds) != len(labels) or not in_range:
        raise AdapterError(
            f"{folder / CLASSIFIER_FILE}: thresholds: must be {len(labels)} numbers from 0 to 1, "
            "one a label, and only for multi_label_classification; save the model again"
        )


def read_labels(folder: Path, adapter: AdapterFile, label_names: Sequence[str] | None) -> LabelSet:
    """Read the labels of a classifier, or take those given, or number those of a bare adapter.

    Raises:
        AdapterError: They are broken, or not one for each class of the head.
    """
    path = folder / LABELS_FILE
    if label_names is None:
        is_whole = is_whole_classifier(folder)
        label_names = stated_label_names(folder) if is_whole else _stored_names(path)
    for name in label_names or ():
        if not _is_text(name):
            raise AdapterError(
                f"{path}: label {name[:100]!a} holds half a character (a lone surrogate); write it "
                "anew"
            )
    classes = count_outputs(folder, adapter.tensors)
    if label_names is None:
        label_names = [f"LABEL_{index}" for index in range(classes)]
    if len(label_names) != classes:
        raise AdapterError(
            f"{folder}: {len(label_names)} labels given, but the head has {classes}; name each "
            "class"
        )
    return LabelSet(tuple(label_names))


def _stored_names(path: Path) -> list[str] | None:
    if not path.exists():
        return None
    names = read_json_object(path, AdapterError).get("labels")
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or len(set(names)) < len(names)
    ):
        raise AdapterError(f'{path}: must hold {{"labels": [names]}}, each name once')
    return names
