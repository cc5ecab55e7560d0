"""A trained classifier on disk: a PEFT adapter folder that also says everything else it needs.

Beside PEFT's two files lie the tokenizer, `labels.json`, `classifier.json` (encoder, head, pooling,
preprocessing) and `probes.json`: the logits of a few texts, compared at every load. There is never
a `config.json`, since transformers would then look for full weights there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from ranklet.classifier import Preprocessing, TextClassifier, adaptable_shapes, trainable_state
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.tokenizer import BEGINNING_ONLY, load_tokenizer, write_tokenizer
from ranklet.encoder.config import read_config
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.source import base_model_name, encoder_config, encoder_folder
from ranklet.encoder.weights import load_encoder
from ranklet.errors import AdapterError, ParityError, WeightsError
from ranklet.files import folder_appearing_whole, read_json_object, write_atomically
from ranklet.head import (
    DEFAULT_RANK,
    HEAD_MODULES,
    LAST,
    build_head,
    dense_head_tensors,
    head_pooling,
    needs_pooler,
)
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import CONFIG_FILE, AdapterFile, as_plain_lora, read_adapter
from ranklet.lora.placement import module_shapes, place_adapters, train_biases, train_modules
from ranklet.problem import MultiLabel, SingleLabel, choose_problem
from ranklet.saved.head import (
    check_folded,
    head_tensors,
    read_tensors,
    sort_tensors,
    stored_modules,
    write_tensors,
)
from ranklet.saved.probes import PROBES_FILE, check_probes, probe_record
from ranklet.vocabulary import (
    AttentionBackend,
    CleaningStep,
    DenseInit,
    HeadKind,
    Pooling,
    ProblemType,
    Quantization,
)

LABELS_FILE = "labels.json"
CLASSIFIER_FILE = "classifier.json"


@dataclass(frozen=True)
class ClassifierSettings:
    """What a classifier is besides its tensors and labels.

    Attributes:
        encoder: Known name, folder or hub id.
        head: Kind of head.
        pooling: Kind of pooling.
        max_length: Tokens kept of a text, special ones included.
        cleaning: Cleaning steps.
        head_rank: Rank of the trained part of the inner matrix of a `low_rank` head.
        quantization: How the frozen weights of the encoder are kept.
        problem_type: Whether a text has one label or any number of them.
        thresholds: Where it may have several: the probability from which it has a label, in the
            order of the labels; None: 0.5 each.
        temperature: Where it has one: what logits are divided by before the softmax.
        long_texts: What happens to texts of more tokens.
    """

    encoder: str
    head: HeadKind
    pooling: Pooling
    max_length: int
    cleaning: tuple[CleaningStep, ...]
    head_rank: int = DEFAULT_RANK
    quantization: Quantization = "none"
    problem_type: ProblemType = "single_label_classification"
    thresholds: tuple[float, ...] | None = None
    long_texts: LongTexts = BEGINNING_ONLY
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


def assemble(
    settings: ClassifierSettings,
    labels: LabelSet,
    adapter: AdapterFile | None,
    *,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
    head_dropout: float = 0.0,
    head_dense_init: DenseInit = "identity",
    seed: int = 0,
) -> TextClassifier:
    """Build a classifier from its encoder's files and, if given, a trained adapter.

    Args:
        settings: What it is.
        labels: Its classes.
        adapter: Trained tensors, those of a frozen inner matrix of the head, and where adapters
            belong; None for an untrained head on a frozen encoder.
        dtype: Compute dtype of the frozen weights.
        device: Where it computes.
        attention: Attention backend.
        head_dropout: Dropout inside the head while training.
        head_dense_init: Values of a frozen inner matrix of the head.
        seed: Seed of the head's initial values.

    Raises:
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
        AdapterError: The adapter does not fit the encoder or the labels.
        RecipeError: The encoder has no head of this kind.
    """
    folder = encoder_folder(settings.encoder)
    config = read_config(folder)
    with_pooler = needs_pooler(settings.head, config)
    encoder = load_encoder(folder, config, dtype, with_pooler, attention, settings.quantization)
    head = build_head(
        settings.head, config, len(labels), head_dropout, seed, settings.head_rank, head_dense_init
    )
    max_length = min(settings.max_length, config.max_length)
    tokenizer = load_tokenizer(folder)
    if not tokenizer.encode("").ids:
        raise WeightsError(
            f"{folder}: the tokenizer adds no special tokens, so an empty text has nothing to "
            "read; give it the post-processor of its encoder"
        )
    if tokenizer.get_vocab_size() > config.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer has {tokenizer.get_vocab_size()} tokens, the encoder "
            f"{config.vocab_size}; the files do not belong together"
        )
    preprocessing = Preprocessing(tokenizer, settings.cleaning, max_length, settings.long_texts)
    pooling = head_pooling(settings.head, settings.pooling, config)
    problem = choose_problem(
        settings.problem_type, len(labels), settings.thresholds, settings.temperature
    )
    model = TextClassifier(encoder, head, pooling, labels, preprocessing, problem).to(device)
    if isinstance(encoder, NativeEncoder):
        encoder.join_projections()  # again: on another device they are other tensors
    if adapter is not None:
        _fill(model, adapter, settings.encoder)
    return model


def _fill(model: TextClassifier, adapter: AdapterFile, encoder: str) -> None:
    shapes = adaptable_shapes(model)
    for placement in adapter.placements:
        if placement.module not in shapes or not shapes[placement.module].adaptable:
            raise AdapterError(
                f"adapter: {placement.module} is no adaptable module of encoder {encoder!r}; "
                "name the encoder that the adapter was trained on"
            )
    known = module_shapes(model)
    for name in adapter.modules_to_save:
        if name not in known or known[name].kind not in ("linear", "norm"):
            raise AdapterError(
                f"adapter: {name} of modules_to_save is no linear map or norm of encoder "
                f"{encoder!r}; only such modules can be replaced"
            )
    place_adapters(
        model,
        adapter.placements,
        adapter.dropout,
        adapter.use_rslora,
        seed=0,
        use_dora=adapter.use_dora,
        init=adapter.init,
    )
    train_biases(model, adapter.bias, adapter.placements)
    train_modules(model, adapter.modules_to_save)
    expected: dict[str, Tensor] = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    heads = tuple(f"{module}." for module in model.head_modules)
    expected |= {name: t for name, t in model.named_buffers() if name.startswith(heads)}
    if set(expected) != set(adapter.tensors):
        odd = sorted(set(expected) ^ set(adapter.tensors))
        raise AdapterError(
            f"adapter: {len(odd)} tensors do not pair up with encoder {encoder!r}, such as {odd[0]}"
        )
    for name, tensor in expected.items():
        found = adapter.tensors[name]
        if found.shape != tensor.shape:
            raise AdapterError(
                f"adapter: {name} has shape {tuple(found.shape)}, but encoder {encoder!r} with "
                f"{len(model.labels)} labels needs {tuple(tensor.shape)}"
            )
        tensor.detach().copy_(found)
    model.eval()


def save_model(
    folder: Path,
    model: TextClassifier,
    settings: ClassifierSettings,
    adapter: AdapterFile,
    card: str,
) -> None:
    """Write a trained classifier; the folder appears whole or not at all.

    Args:
        folder: Must not exist yet.
        model: The classifier.
        settings: What it is.
        adapter: Where its adapters are; its tensors are taken from the model. What starts from the
            frozen weights (pissa, olora) is written as plain LoRA of twice the rank.
        card: Model card, Markdown.

    Raises:
        RunError: The folder cannot be written.
        ParityError: A trained tensor is missing from the files or differs there.
    """
    preprocessing, problem = model.preprocessing, model.problem
    assert preprocessing is not None
    thresholds = problem.thresholds if isinstance(problem, MultiLabel) else None
    temperature = problem.temperature if isinstance(problem, SingleLabel) else 1.0
    settings = replace(
        settings, pooling=model.pooling, thresholds=thresholds, temperature=temperature
    )
    state = {name: tensor.cpu() for name, tensor in trainable_state(model).items()}
    label_json = json.dumps({"labels": list(model.labels.names)}, ensure_ascii=False, indent=2)
    plain = as_plain_lora(model, replace(adapter, tensors=state))
    with folder_appearing_whole(folder) as unfinished:
        write_tensors(
            unfinished,
            replace(plain, base_model=base_model_name(settings.encoder)),
            head_tensors(model, model.head_modules),
            settings.head,
            model.pooling,
            model.encoder.config,
        )
        write_tokenizer(preprocessing.tokenizer, unfinished, preprocessing.max_length)
        write_atomically(unfinished / LABELS_FILE, label_json + "\n")
        write_atomically(
            unfinished / CLASSIFIER_FILE,
            json.dumps(asdict(settings), indent=2) + "\n",
        )
        write_atomically(unfinished / PROBES_FILE, json.dumps(probe_record(model), indent=2) + "\n")
        write_atomically(unfinished / "README.md", card)
        _check_saved(unfinished, plain.tensors, settings.head)


def _check_saved(folder: Path, state: Mapping[str, Tensor], head: HeadKind) -> None:
    saved = read_tensors(folder, head).trained
    lost = sorted(set(state) ^ set(saved))
    differing = [name for name in state if name in saved and not state[name].equal(saved[name])]
    if lost or differing:
        raise ParityError(
            f"{folder}: {len(lost)} trained tensors are missing from the files and "
            f"{len(differing)} differ, such as {(lost + differing)[0]}",
            float("inf"),
            0,
        )


def load_model(
    folder: Path,
    *,
    encoder: str | None = None,
    labels: Sequence[str] | None = None,
    dtype: torch.dtype,
    device: torch.device,
    attention: AttentionBackend = "sdpa",
) -> TextClassifier:
    """Read a classifier that ranklet saved, or a bare PEFT adapter.

    Args:
        folder: Folder with `adapter_config.json`.
        encoder: Used instead of the encoder that the folder names.
        labels: Label names, for an adapter that carries none.
        dtype: Compute dtype.
        device: Where it computes.
        attention: Attention backend.

    Raises:
        AdapterError: The adapter is unusable, or does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
        RunError: The classifier answers its probe texts differently from when it was saved.
    """
    settings, label_set, adapter = read_saved(folder, encoder=encoder, labels=labels)
    model = assemble(settings, label_set, adapter, dtype=dtype, device=device, attention=attention)
    check_head(model, folder, settings.head)
    check_probes(model, folder)
    return model


def read_saved(
    folder: Path, *, encoder: str | None = None, labels: Sequence[str] | None = None
) -> tuple[ClassifierSettings, LabelSet, AdapterFile]:
    """Read what a saved classifier is assembled from; arguments and errors as of `load_model`.

    The adapter carries the head as ranklet holds it, its frozen tensors included.
    """
    adapter = read_adapter(folder, stored_modules(folder))
    settings = _read_settings(folder, adapter, encoder)
    label_set = _read_labels(folder, adapter, labels)
    _check_thresholds(folder, settings, label_set)
    saved = sort_tensors(folder, adapter.tensors, settings.head)
    return settings, label_set, replace(adapter, tensors={**saved.trained, **saved.frozen})


def check_head(model: TextClassifier, folder: Path, head: HeadKind) -> None:
    """Refuse a classifier whose adapter file holds another head than `head.safetensors`.

    Raises:
        RunError: The two answer differently.
    """
    saved = read_tensors(folder, head)
    check_folded(folder, saved, head, model.pooling, model.encoder.config)


def _read_settings(folder: Path, adapter: AdapterFile, encoder: str | None) -> ClassifierSettings:
    path = folder / CLASSIFIER_FILE
    if path.exists():
        fields = read_json_object(path, AdapterError)
        try:
            settings = TypeAdapter(ClassifierSettings).validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise AdapterError(f"{path}: {where}: {first['msg']}") from error
        return settings if encoder is None else replace(settings, encoder=encoder)
    name = encoder or adapter.base_model
    if name is None:
        raise AdapterError(
            f"{folder}: the adapter names no encoder; write its name into base_model_name_or_path "
            f"of {CONFIG_FILE}"
        )
    config = encoder_config(name)
    heads = tuple(f"{module}." for module in HEAD_MODULES)
    found = {tensor for tensor in adapter.tensors if tensor.startswith(heads)}
    if found != dense_head_tensors(config):
        raise AdapterError(
            f"{folder}: the adapter's head is not the one transformers has for encoder {name!r}"
        )
    # A bare PEFT adapter stands on transformers' own classifier, which reads whole texts.
    return ClassifierSettings(name, "dense", "cls", config.max_length, ())


def _check_thresholds(folder: Path, settings: ClassifierSettings, labels: LabelSet) -> None:
    given = settings.thresholds
    if given is None:
        return
    single = settings.problem_type == "single_label_classification"
    if single or len(given) != len(labels) or not all(0 <= each <= 1 for each in given):
        raise AdapterError(
            f"{folder / CLASSIFIER_FILE}: thresholds: must be {len(labels)} numbers from 0 to 1, "
            "one a label, and only for multi_label_classification; save the model again"
        )


def _read_labels(folder: Path, adapter: AdapterFile, labels: Sequence[str] | None) -> LabelSet:
    path = folder / LABELS_FILE
    if labels is None and path.exists():
        names = read_json_object(path, AdapterError).get("labels")
        if (
            not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
            or len(set(names)) < len(names)
        ):
            raise AdapterError(f'{path}: must hold {{"labels": [names]}}, each name once')
        labels = names
    biases = [t for name, t in adapter.tensors.items() if name.startswith(f"{LAST}.")]
    classes = min((len(tensor) for tensor in biases if tensor.ndim == 1), default=0)
    if classes < 2:
        raise AdapterError(
            f"{folder}: the adapter carries no head for two or more labels; train it with "
            f"modules_to_save: [{LAST}]"
        )
    if labels is None:
        labels = [f"LABEL_{index}" for index in range(classes)]
    if len(labels) != classes:
        raise AdapterError(
            f"{folder}: {len(labels)} labels given, but the head has {classes}; name each class"
        )
    return LabelSet(tuple(labels))
