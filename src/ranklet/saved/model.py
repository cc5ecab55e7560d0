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
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ranklet.classifier import ClassifierNetwork, trainable_state
from ranklet.data.tokens.tokenizer import write_tokenizer
from ranklet.encoder.source import EncoderSource, base_model_name
from ranklet.errors import AdapterError, ParityError
from ranklet.files import folder_appearing_whole, read_json_object, write_atomically
from ranklet.foreign_text import without_controls
from ranklet.head import module_device
from ranklet.labels import LabelSet
from ranklet.local_paths import knows, shared_model, whole_path, write_local_paths
from ranklet.lora.adapter_file import (
    CONFIG_FILE,
    TENSORS_FILE,
    AdapterFile,
    as_plain_lora,
    read_adapter,
)
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.saved.file_sums import FileSums, check_encoder, check_files, sums_of
from ranklet.saved.foreign import (
    count_outputs,
    is_whole_classifier,
    require_encoder,
    whole_classifier,
    with_two_outputs,
)
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
from ranklet.saved.settings import (
    CLASSIFIER_FILE,
    LABELS_FILE,
    SUMS_FIELD,
    check_thresholds,
    read_labels,
    read_settings,
)
from ranklet.vocabulary import AttentionBackend, HeadKind, ProblemType


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
        AdapterError: It adapts nothing.
    """
    if not adapter.placements:
        raise AdapterError(
            f"{settings.encoder}: a whole classifier has no adapter to save; copy its folder"
        )
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
        told_apart = settings.pair and model.encoder.config.type_vocab_size > 1
        write_tokenizer(preprocessing.tokenizer, unfinished, preprocessing.max_length, told_apart)
        write_atomically(unfinished / LABELS_FILE, label_json + "\n")
        write_atomically(unfinished / PROBES_FILE, json.dumps(probe_record(model), indent=2) + "\n")
        sums = sums_of(unfinished, EncoderSource(settings.encoder))
        shared = replace(settings, encoder=shared_model(settings.encoder))
        record = asdict(shared) | {SUMS_FIELD: asdict(sums)}
        # Not among the sums: these two are there to be edited.
        write_atomically(unfinished / CLASSIFIER_FILE, json.dumps(record, indent=2) + "\n")
        write_atomically(unfinished / "README.md", without_controls(card))
        _check_saved(unfinished, plain.tensors, settings.head)
        if not knows(folder.absolute().parent, "encoder", shared.encoder):  # the run around it does
            paths = whole_path(shared.encoder, settings.encoder)
            write_local_paths(unfinished, {"encoder": paths})


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


def _as_trained(
    model: ClassifierNetwork, settings: ClassifierSettings, adapter: AdapterFile
) -> tuple[ClassifierSettings, AdapterFile]:
    """Take over what training chose: tensors, and what makes labels of logits."""
    settings = replace(settings, pooling=model.pooling, **asdict(model.problem))
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
    problem_type: ProblemType | None = None,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
) -> ClassifierNetwork:
    """Read a classifier that ranklet saved, a bare PEFT adapter, or a classifier of transformers.

    Another encoder may stand in for the one that the folder names. Label names, in the order of the
    logits, and the problem type are for what carries none.

    Raises:
        AdapterError: The adapter is unusable, or does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
        RunError: The classifier answers its probe texts differently from when it was saved.
    """
    saved = read_saved(folder, encoder=encoder, label_names=label_names, problem_type=problem_type)
    model = build_saved(saved, dtype=dtype, device=device, attention=attention)
    check_probes(model, saved.probes)
    return model


def read_saved(
    folder: Path,
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    problem_type: ProblemType | None = None,
    compare_sums: bool = True,
) -> SavedClassifier:
    """Read a saved classifier.

    Its files must be those that were saved, unless their sums are not compared. Other arguments and
    errors as of `load_model`.
    """
    is_whole = is_whole_classifier(folder)
    if is_whole and encoder is not None:
        raise AdapterError(f"{folder}: a whole classifier, encoder included; leave out --encoder")
    adapter = whole_classifier(folder) if is_whole else read_adapter(folder, stored_modules(folder))
    if count_outputs(folder, adapter.tensors) < 2:
        adapter = with_two_outputs(folder, adapter, label_names)
        problem_type = "single_label_classification"
    settings, source, sums = read_settings(folder, adapter, encoder, problem_type)
    labels = read_labels(folder, adapter, label_names)
    check_thresholds(folder, settings, labels)
    tensors = sort_tensors(folder, adapter.tensors, settings.head)
    if sums is not None and compare_sums:
        head = (HEAD_FILE,) if (folder / HEAD_FILE).exists() else ()
        check_files(folder, sums, (TENSORS_FILE, CONFIG_FILE, LABELS_FILE, PROBES_FILE, *head))
    adapter = replace(adapter, tensors={**tensors.trained, **tensors.frozen})
    return SavedClassifier(folder, settings, source, labels, adapter, tensors, sums)


def reads_pairs(folder: Path) -> bool:
    """Tell whether a saved classifier reads pairs of texts; nothing else of it is read."""
    path = folder / CLASSIFIER_FILE
    return path.exists() and read_json_object(path, AdapterError).get("pair") is True


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
    require_encoder(saved.folder, saved.encoder)
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
