"""A classifier on disk as every verb takes it: which, and how it is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ranklet.encoder.precision import choose_dtype
from ranklet.encoder.source import TOKENIZER_FILES, convert_remedy
from ranklet.errors import AdapterError, HubError, RunError
from ranklet.hub import cached_file_names, hub_folder, listed_file_names
from ranklet.lora.adapter_file import CONFIG_FILE, TENSORS_FILE
from ranklet.recipe import load_recipe
from ranklet.run.folder import Run, open_run
from ranklet.saved.foreign import is_whole_classifier
from ranklet.saved.head import HEAD_FILE
from ranklet.saved.model import SavedClassifier, read_saved
from ranklet.saved.probes import PROBES_FILE
from ranklet.saved.settings import CLASSIFIER_FILE, LABELS_FILE
from ranklet.text_classifier import TextClassifier
from ranklet.vocabulary import Device, Precision, ProblemType

# What a classifier of the hub may have beside its weights and its configuration.
_BESIDE = (
    "model.safetensors.index.json",
    "README.md",
    CLASSIFIER_FILE,
    HEAD_FILE,
    LABELS_FILE,
    PROBES_FILE,
    *TOKENIZER_FILES,
)


@dataclass(frozen=True)
class ModelSource:
    """A classifier on disk, and how it is loaded.

    Attributes:
        path: A run, its `adapter` folder, any PEFT LoRA adapter of a supported encoder, a whole
            classifier of transformers (`...ForSequenceClassification`), or the hub id `owner/name`
            of either; None: no classifier, where only an encoder is needed (`audit`).
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none; two
            for a head of one output, the one that it speaks for last.
        device: Where it computes.
        precision: Compute dtype of the frozen weights; `auto` is that of the run's recipe, and of a
            bare adapter the fastest of the processor.
        problem_type: Whether a text has one label or several, for an adapter or a classifier that
            does not say it; None: as the config.json of its encoder says, else one.
    """

    path: str | Path | Run | None = None
    encoder: str | None = None
    label_names: Sequence[str] | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    problem_type: ProblemType | None = None

    @property
    def folder(self) -> Path:
        """The folder of the run or adapter.

        Raises:
            RunError: There is none.
        """
        if self.path is None:
            raise RunError("no classifier is named; name a run or an adapter folder")
        return self.path.folder if isinstance(self.path, Run) else Path(self.path)


Model = str | Path | Run | ModelSource | TextClassifier
"""What a verb takes: a run, an adapter folder, either with how it is loaded, or one loaded."""


def as_model_source(model: str | Path | Run | ModelSource) -> ModelSource:
    """Return how a classifier is loaded: as it says itself, or as by default."""
    return model if isinstance(model, ModelSource) else ModelSource(model)


def run_of(model: Model) -> Run | None:
    """Return the finished run of a classifier; None of a bare adapter and of one loaded."""
    if isinstance(model, TextClassifier):
        return None
    folder = as_model_source(model).folder
    run = Run(folder)
    return run if run.is_finished and not (folder / CONFIG_FILE).is_file() else None


def name_of(model: Model) -> str:
    """Return what messages call a classifier."""
    if isinstance(model, TextClassifier):
        return "the loaded classifier"
    return str(as_model_source(model).folder)


def classifier_folder(path: Path) -> Path:
    """Return the folder that a classifier is read from: the adapter of a run, or the folder itself.

    Where there is no such folder, `owner/name` is an id of the hub, unless `owner` is a folder.

    Raises:
        RunError: There is neither a finished run nor an adapter nor a model.
        AdapterError: It is the adapter of a run and was stripped to a bare one, which would answer
            without labels and unchecked.
        HubError: The hub is needed and cannot be had.
    """
    if (path / CONFIG_FILE).is_file():
        return _whole(path)
    if Run(path).recipe.is_file() or (not path.is_dir() and not is_hub_id(path)):
        return _whole(open_run(path).adapter)
    if not path.is_dir():
        return _from_hub(path)
    if is_whole_classifier(path):
        return path
    raise RunError(
        f"{path}: holds neither a run (recipe.yaml) nor a PEFT adapter ({CONFIG_FILE}) nor a model "
        "(config.json); name such a folder"
    )


def read_classifier(model: ModelSource) -> SavedClassifier:
    """Read the files of a classifier; nothing is built of them yet.

    Raises:
        RunError: There is no such classifier.
        AdapterError: The adapter is unusable, or does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable.
        HubError: The hub is needed and cannot be had.
    """
    return read_saved(
        classifier_folder(model.folder),
        encoder=model.encoder,
        label_names=model.label_names,
        problem_type=model.problem_type,
    )


def is_hub_id(path: Path) -> bool:
    """Tell whether a name is `owner/name` and can be no folder that was mistyped."""
    parts = path.parts
    return len(parts) == 2 and parts[0] not in ("/", "..", "~") and not os.path.isdir(parts[0])


def _from_hub(path: Path) -> Path:
    name = path.as_posix()
    try:
        files = cached_file_names(name, "model") or listed_file_names(name, "model")
        is_adapter = CONFIG_FILE in files
        wanted = (
            [CONFIG_FILE, TENSORS_FILE] if is_adapter else ["config.json", "model*.safetensors"]
        )
        return hub_folder(name, wanted, "model", _BESIDE, convert_remedy(name))
    except HubError as error:
        raise HubError(f"{name}: no such folder, and on the hub: {error}") from error


def _whole(adapter: Path) -> Path:
    run, settings = Run(adapter.absolute().parent), adapter / CLASSIFIER_FILE
    if run.adapter == adapter.absolute() and run.is_finished and not settings.is_file():
        raise AdapterError(f"{settings}: is missing in the adapter of a run; restore it")
    return adapter


def dtype_of_trained(run: Run | None, precision: Precision, device: torch.device) -> torch.dtype:
    """Return the compute dtype of a trained classifier.

    Args:
        run: Its finished run, whose `engine.precision` is what `auto` stands for; None: a bare
            adapter, which says nothing.
        precision: As asked for.
        device: Where it computes.

    Raises:
        RecipeError: The recipe of the run is not readable.
    """
    if precision == "auto" and run is not None:
        precision = load_recipe(run.recipe).engine.precision
    return choose_dtype(precision, device)
