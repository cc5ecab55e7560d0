"""A trained classifier on disk: a PEFT adapter folder that also says everything else it needs.

Beside PEFT's two files lie the tokenizer, `labels.json`, `classifier.json` (encoder, head, pooling,
preprocessing, and the sums of all files) and `probes.json`: the logits of a few texts. Sums and
logits are compared at every load. There is never a `config.json`, since transformers would then
look for full weights there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ranklet.classifier import ClassifierNetwork, trainable_state
from ranklet.data.tokens.tokenizer import write_tokenizer
from ranklet.encoder.source import EncoderSource, base_model_name
from ranklet.errors import AdapterError, ParityError
from ranklet.files import folder_appearing_whole, read_json_object, write_atomically
from ranklet.foreign_text import without_controls
from ranklet.head import HEAD_MODULES, LAST, dense_head_tensors, module_device
from ranklet.labels import LabelSet
from ranklet.local_paths import local_path, shared_model, whole_path, write_local_paths
from ranklet.lora.adapter_file import (
    CONFIG_FILE,
    TENSORS_FILE,
    AdapterFile,
    as_plain_lora,
    read_adapter,
)
from ranklet.problem import MultiLabel, SingleLabel
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.saved.file_sums import FileSums, check_encoder, check_files, read_sums, sums_of
from ranklet.saved.head import (
    HEAD_FILE,
    SavedTensors,
    check_folded,
    head_tensors,
    read_tensors,
    sort_tensors,
    stored_modules,
    write_tensors,
)
from ranklet.saved.probes import (
    PROBES_FILE,
    Probes,
    check_probes,
    compute_dtype,
    probe_record,
    read_probes,
)
from ranklet.vocabulary import AttentionBackend, HeadKind

LABELS_FILE = "labels.json"
CLASSIFIER_FILE = "classifier.json"
SUMS_FIELD = "sha256"

# Of an encoder, characters: as much as a path may have.
LONGEST_NAME = 4096


@dataclass(frozen=True, eq=False)
class SavedClassifier:
    """What the folder of a classifier holds, each file of it read once.

    Attributes:
        folder: Where it lies.
        settings: What it is.
        encoder: The encoder it stands on.
        labels: Its classes.
        adapter: Where its adapters are, with every tensor of `trained` and `frozen`.
        tensors: Its tensors by what they are.
        sums: Of the files it was saved with; None of a bare PEFT adapter.
    """

    folder: Path
    settings: ClassifierSettings
    encoder: EncoderSource
    labels: LabelSet
    adapter: AdapterFile
    tensors: SavedTensors
    sums: FileSums | None

    @cached_property
    def probes(self) -> Probes | None:
        """What it answered when it was saved; None where it does not say.

        Raises:
            AdapterError: The file is broken.
            RunError: It holds something else than probes.
        """
        return read_probes(self.folder)


def save_model(
    folder: Path,
    model: ClassifierNetwork,
    settings: ClassifierSettings,
    adapter: AdapterFile,
    card: str,
) -> None:
    """Write a trained classifier; the folder appears whole or not at all.

    The adapter's tensors are taken from the model; what starts from the frozen weights (pissa,
    olora) is written as plain LoRA of twice the rank. The card is Markdown.

    Raises:
        RunError: The folder cannot be written.
        ParityError: A trained tensor is missing from the files or differs there.
    """
    preprocessing = model.preprocessing
    assert preprocessing is not None
    settings, plain = _as_trained(model, settings, adapter)
    label_json = json.dumps({"labels": list(model.labels.names)}, ensure_ascii=False, indent=2)
    with folder_appearing_whole(folder) as unfinished:
        write_tensors(
            unfinished,
            replace(plain, base_model=base_model_name(shared_model(settings.encoder))),
            head_tensors(model, model.head_modules),
            settings.head,
            model.pooling,
            model.encoder.config,
        )
        write_tokenizer(preprocessing.tokenizer, unfinished, preprocessing.max_length)
        write_atomically(unfinished / LABELS_FILE, label_json + "\n")
        write_atomically(unfinished / PROBES_FILE, json.dumps(probe_record(model), indent=2) + "\n")
        sums = sums_of(unfinished, EncoderSource(settings.encoder))
        shared = replace(settings, encoder=shared_model(settings.encoder))
        record = asdict(shared) | {SUMS_FIELD: asdict(sums)}
        # Not among the sums: these two are there to be edited.
        write_atomically(unfinished / CLASSIFIER_FILE, json.dumps(record, indent=2) + "\n")
        write_atomically(unfinished / "README.md", without_controls(card))
        _check_saved(unfinished, plain.tensors, settings.head)


def as_saved(
    model: ClassifierNetwork, settings: ClassifierSettings, adapter: AdapterFile
) -> tuple[ClassifierSettings, AdapterFile]:
    """Return what `read_saved` would read of a trained classifier that `save_model` wrote.

    Arguments as of `save_model`.
    """
    settings, plain = _as_trained(model, settings, adapter)
    tensors = head_tensors(model, model.head_modules) | dict(plain.tensors)
    base_model = base_model_name(shared_model(settings.encoder))
    return settings, replace(plain, tensors=tensors, base_model=base_model)


def remember_encoder(folder: Path, encoder: str) -> None:
    """Write where the encoder of a saved classifier is, if it is a folder of this machine.

    Raises:
        RunError: The file cannot be written.
    """
    write_local_paths(folder, {"encoder": whole_path(shared_model(encoder), encoder)})


def _as_trained(
    model: ClassifierNetwork, settings: ClassifierSettings, adapter: AdapterFile
) -> tuple[ClassifierSettings, AdapterFile]:
    """Take over what training chose: tensors, and what makes labels of logits."""
    problem = model.problem
    thresholds = problem.thresholds if isinstance(problem, MultiLabel) else None
    temperature = problem.temperature if isinstance(problem, SingleLabel) else 1.0
    settings = replace(
        settings, pooling=model.pooling, thresholds=thresholds, temperature=temperature
    )
    state = {name: tensor.cpu() for name, tensor in trainable_state(model).items()}
    return settings, as_plain_lora(model, replace(adapter, tensors=state))


def _check_saved(folder: Path, state: Mapping[str, Tensor], head: HeadKind) -> None:
    saved = read_tensors(folder, head).trained
    lost = sorted(set(state) ^ set(saved))
    differing = [name for name in state if name in saved and not state[name].equal(saved[name])]
    if lost or differing:
        message = (
            f"{folder}: {len(lost)} trained tensors are missing from the files and "
            f"{len(differing)} differ, such as {(lost + differing)[0]}"
        )
        raise ParityError(message, float("inf"), 0)


def save_and_reload(
    folder: Path,
    model: ClassifierNetwork,
    settings: ClassifierSettings,
    adapter: AdapterFile,
    card: str,
    attention: AttentionBackend = "sdpa",
) -> SavedClassifier:
    """Write a trained classifier, and make sure that a fresh object from the files answers alike.

    Arguments and errors as of `save_model` and `load_model`.
    """
    save_model(folder, model, settings, adapter, card)
    saved = read_saved(folder)
    again = build_saved(
        saved, dtype=compute_dtype(model), device=module_device(model), attention=attention
    )
    check_probes(again, saved.probes)
    return saved


def load_model(
    folder: Path,
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
) -> ClassifierNetwork:
    """Read a classifier that ranklet saved, or a bare PEFT adapter.

    Another encoder may stand in for the one that the folder names. Label names, in the order of the
    logits, are for an adapter that carries none.

    Raises:
        AdapterError: The adapter is unusable, or does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
        RunError: The classifier answers its probe texts differently from when it was saved.
    """
    saved = read_saved(folder, encoder=encoder, label_names=label_names)
    model = build_saved(saved, dtype=dtype, device=device, attention=attention)
    check_probes(model, saved.probes)
    return model


def read_saved(
    folder: Path,
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    compare_sums: bool = True,
) -> SavedClassifier:
    """Read a saved classifier.

    Its files must be those that were saved, unless their sums are not compared. Other arguments and
    errors as of `load_model`.
    """
    adapter = read_adapter(folder, stored_modules(folder))
    settings, source, sums = _read_settings(folder, adapter, encoder)
    labels = _read_labels(folder, adapter, label_names)
    _check_thresholds(folder, settings, labels)
    tensors = sort_tensors(folder, adapter.tensors, settings.head)
    if sums is not None and compare_sums:
        head = (HEAD_FILE,) if (folder / HEAD_FILE).exists() else ()
        check_files(folder, sums, (TENSORS_FILE, CONFIG_FILE, LABELS_FILE, PROBES_FILE, *head))
    adapter = replace(adapter, tensors={**tensors.trained, **tensors.frozen})
    return SavedClassifier(folder, settings, source, labels, adapter, tensors, sums)


def build_saved(
    saved: SavedClassifier,
    *,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
) -> ClassifierNetwork:
    """Build a saved classifier; its probes are not compared yet.

    Raises:
        AdapterError: The adapter does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable, or not those it was saved with.
        HubError: The hub is needed and cannot be had.
        RunError: The adapter file holds another head than `head.safetensors`.
    """
    settings = saved.settings
    if saved.sums is not None:
        check_encoder(saved.encoder, saved.sums)
    model = assemble(
        settings,
        saved.encoder,
        saved.labels,
        saved.adapter,
        dtype=dtype,
        device=device,
        attention=attention,
    )
    check_folded(saved.folder, saved.tensors, settings.head, model.pooling, model.encoder.config)
    return model


def _read_settings(
    folder: Path, adapter: AdapterFile, encoder: str | None
) -> tuple[ClassifierSettings, EncoderSource, FileSums | None]:
    path = folder / CLASSIFIER_FILE
    if path.exists():
        settings, sums = _read_classifier_file(path)
        _encoder_name(settings.encoder, path)
        if encoder is None:
            settings = replace(settings, encoder=_encoder_of(folder, settings.encoder))
        else:
            settings, sums = replace(settings, encoder=encoder), replace(sums, encoder={})
        return settings, EncoderSource(settings.encoder), sums
    _refuse_remains(path)
    name = encoder or _encoder_name(adapter.base_model, folder / CONFIG_FILE)
    if name is None:
        raise AdapterError(
            f"{folder}: the adapter names no encoder; write its name into base_model_name_or_path "
            f"of {CONFIG_FILE}"
        )
    source = EncoderSource(name)
    heads = tuple(f"{module}." for module in HEAD_MODULES)
    in_head = {tensor for tensor in adapter.tensors if tensor.startswith(heads)}
    if in_head != dense_head_tensors(source.config):
        raise AdapterError(
            f"{folder}: the adapter's head is not the one transformers has for encoder {name!r}"
        )
    # A bare PEFT adapter stands on transformers' own classifier, which reads whole texts.
    return ClassifierSettings(name, "dense", "cls", source.config.max_length, ()), source, None


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


def _check_thresholds(folder: Path, settings: ClassifierSettings, labels: LabelSet) -> None:
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


def _read_labels(folder: Path, adapter: AdapterFile, label_names: Sequence[str] | None) -> LabelSet:
    path = folder / LABELS_FILE
    if label_names is None and path.exists():
        names = read_json_object(path, AdapterError).get("labels")
        if (
            not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
            or len(set(names)) < len(names)
        ):
            raise AdapterError(f'{path}: must hold {{"labels": [names]}}, each name once')
        label_names = names
    for name in label_names or ():
        if not _is_text(name):
            raise AdapterError(
                f"{path}: label {name[:100]!a} holds half a character (a lone surrogate); write it "
                "anew"
            )
    biases = [t for name, t in adapter.tensors.items() if name.startswith(f"{LAST}.")]
    classes = min((len(tensor) for tensor in biases if tensor.ndim == 1), default=0)
    if classes < 2:
        raise AdapterError(
            f"{folder}: the adapter carries no head for two or more labels; train it with "
            f"modules_to_save: [{LAST}]"
        )
    if label_names is None:
        label_names = [f"LABEL_{index}" for index in range(classes)]
    if len(label_names) != classes:
        raise AdapterError(
            f"{folder}: {len(label_names)} labels given, but the head has {classes}; name each "
            "class"
        )
    return LabelSet(tuple(label_names))
