"""What ranklet did not save: bare PEFT adapters, and whole classifiers of transformers.

A whole classifier is read as an adapter that adapts nothing: a trained head on the encoder that
lies beside it in the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ranklet.encoder.config import read_config
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weight_files import unwrapped_names, weight_files
from ranklet.errors import AdapterError, HubError, MissingExtraError, WeightsError
from ranklet.files import read_json_object
from ranklet.head import HEAD_MODULES, LAST, LAST_MAPS, dense_head_tensors, standard_head
from ranklet.lora.adapter_file import CONFIG_FILE, TENSORS_FILE, AdapterFile
from ranklet.saved.assembly import ClassifierSettings
from ranklet.vocabulary import ProblemType


def is_whole_classifier(folder: Path) -> bool:
    """Tell whether a folder may hold a whole classifier: a model, and no adapter."""
    return (folder / "config.json").is_file() and not (folder / CONFIG_FILE).is_file()


def is_computed_here(folder: Path) -> bool:
    """Tell whether the classifier of a model's type is one that ranklet computes."""
    try:
        return standard_head(read_config(folder)) is not None
    except (WeightsError, MissingExtraError):  # no encoder, such as a decoder
        return False


def whole_classifier(folder: Path) -> AdapterFile:
    """Read the head of a whole classifier, as an adapter that adapts nothing.

    Raises:
        AdapterError: It holds no trained head, or one of a kind that is not known.
        WeightsError: Its files are unusable.
    """
    config = read_config(folder)
    if standard_head(config) is None:
        raise AdapterError(
            f"{folder}: the classifier of type {config.model_type} is not known here; distil it, "
            f"--set distillation.teacher={folder}, or train one on it, --set encoder={folder}"
        )
    names = dense_head_tensors(config)
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        tensors |= _tensors_named(path, names)
    missing = sorted(names - tensors.keys())
    if missing:
        raise AdapterError(
            f"{folder}: holds no trained classifier, it has no {missing[0]}; name a run, a PEFT "
            f"adapter or a classifier of transformers, or train one on it: --set encoder={folder}"
        )
    return AdapterFile(str(folder), 1, 1.0, (), False, "none", 0.0, tensors)


def bare_settings(
    folder: Path, adapter: AdapterFile, encoder: str | None, problem_type: ProblemType | None
) -> tuple[ClassifierSettings, EncoderSource]:
    """Say what a classifier is of which only tensors are known: transformers' own, on whole texts.

    Raises:
        AdapterError: No encoder is named, or the head is not the one that belongs to it.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
    """
    if encoder is None and adapter.base_model is None:
        raise AdapterError(
            f"{folder}: the adapter names no encoder; name the one it was trained on: --encoder "
            "FOLDER or a hub id"
        )
    name = encoder or str(adapter.base_model)
    source = EncoderSource(name)
    require_encoder(folder, source)
    heads = tuple(f"{module}." for module in HEAD_MODULES)
    in_head = {tensor for tensor in adapter.tensors if tensor.startswith(heads)}
    if in_head != dense_head_tensors(source.config):
        raise AdapterError(
            f"{folder}: the adapter's head is not the one transformers has for encoder {name!r}"
        )
    settings = ClassifierSettings(
        encoder=name,
        head="dense",
        pooling="cls",
        max_length=source.config.max_length,
        cleaning=(),
        problem_type=problem_type or stated_problem_type(source.folder),
    )
    return settings, source


def require_encoder(folder: Path, encoder: EncoderSource) -> None:
    """Refuse a classifier whose encoder cannot be had, with what to do.

    Raises:
        WeightsError: There is no such folder.
        HubError: The hub is needed and cannot be had.
    """
    try:
        _ = encoder.folder
    except (WeightsError, HubError) as error:
        raise type(error)(
            f"{folder}: its encoder {encoder.name!r} is not here; name its folder: --encoder "
            f"FOLDER ({error})"
        ) from error


def stated_problem_type(folder: Path) -> ProblemType:
    """Return whether a text has one label or several, as config.json of a model says it.

    Raises:
        AdapterError: It says that the model gives numbers, or something else.
    """
    path = folder / "config.json"
    stated = read_json_object(path, WeightsError).get("problem_type")
    if stated in (None, "single_label_classification"):
        return "single_label_classification"
    if stated == "multi_label_classification":
        return "multi_label_classification"
    raise AdapterError(
        f"{path}: problem_type {stated!r} is no classification; if it is one, say so: "
        "--problem-type single_label_classification or multi_label_classification"
    )


def stated_label_names(folder: Path) -> list[str] | None:
    """Return the label names that config.json of a model states; None where it states none.

    Raises:
        AdapterError: They are not numbered from 0.
    """
    path = folder / "config.json"
    by_number = read_json_object(path, WeightsError).get("id2label")
    if by_number is None:
        return None
    numbers = [str(number) for number in range(len(by_number))]
    if not isinstance(by_number, dict) or sorted(by_number) != sorted(numbers):
        raise AdapterError(f"{path}: id2label must name 0, 1, ...; name the labels: --label-names")
    return [str(by_number[number]) for number in numbers]


def count_outputs(folder: Path, tensors: Mapping[str, Tensor]) -> int:
    """Count the logits of a head.

    Raises:
        AdapterError: There is no head.
    """
    biases = [tensor for name, tensor in tensors.items() if name.startswith(f"{LAST}.")]
    lengths = [len(tensor) for tensor in biases if tensor.ndim == 1]
    if not lengths:
        raise AdapterError(
            f"{folder}: {TENSORS_FILE} holds adapters alone and no head, so nothing gives labels; "
            f'save it again with its head: LoraConfig(task_type="SEQ_CLS", modules_to_save='
            f'["{LAST}"])'
        )
    return min(lengths)


def with_two_outputs(
    folder: Path, adapter: AdapterFile, label_names: Sequence[str] | None
) -> AdapterFile:
    """Give a head of one output a second one, so that the first label is "the other one".

    Probabilities stay as they are: sigmoid(z) is the softmax of 0 and z.

    Raises:
        AdapterError: Nobody says what the two labels are, so the output may be any number.
    """
    if label_names is None or len(label_names) != 2:
        raise AdapterError(
            f"{folder}: its head has one output, a number or the logit of one label; if it is a "
            "logit, name the two labels, the one it speaks for last: --label-names no,yes"
        )
    tensors = {
        name: torch.cat([torch.zeros_like(t), t]) if name in LAST_MAPS else t
        for name, t in adapter.tensors.items()
    }
    return replace(adapter, tensors=tensors)


def _tensors_named(path: Path, wanted: set[str]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = unwrapped_names(file.keys(), path)
            chosen = {plain: file.get_tensor(names[plain]) for plain in wanted & names.keys()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a complete safetensors file ({error})") from error
    for name, tensor in chosen.items():
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path}: {name} is not all finite floating-point numbers")
    return {name: tensor.float() for name, tensor in chosen.items()}
