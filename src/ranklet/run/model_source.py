"""A classifier on disk as every verb takes it: which, and how it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ranklet.encoder.precision import choose_dtype
from ranklet.errors import AdapterError, RunError
from ranklet.lora.adapter_file import CONFIG_FILE
from ranklet.recipe import load_recipe
from ranklet.run.folder import Run, open_run
from ranklet.saved.settings import CLASSIFIER_FILE
from ranklet.text_classifier import TextClassifier
from ranklet.vocabulary import Device, Precision


@dataclass(frozen=True)
class ModelSource:
    """A classifier on disk, and how it is loaded.

    Attributes:
        path: A run, its `adapter` folder, or any PEFT LoRA adapter of a supported encoder; None:
            no classifier, where only an encoder is needed (`audit`).
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes.
        precision: Compute dtype of the frozen weights; `auto` is that of the run's recipe, and of a
            bare adapter the fastest of the processor.
    """

    path: str | Path | Run | None = None
    encoder: str | None = None
    label_names: Sequence[str] | None = None
    device: Device = "auto"
    precision: Precision = "auto"

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


def adapter_folder(path: Path) -> Path:
    """Return the adapter folder of a run, or the folder itself if it is one.

    Raises:
        RunError: There is neither a finished run nor an adapter.
        AdapterError: It is the adapter of a run and was stripped to a bare one, which would answer
            without labels and unchecked.
    """
    if (path / CONFIG_FILE).is_file():
        return _whole(path)
    if Run(path).recipe.is_file() or not path.is_dir():
        return _whole(open_run(path).adapter)
    raise RunError(
        f"{path}: holds neither a run (recipe.yaml) nor a PEFT adapter ({CONFIG_FILE}); "
        "name such a folder"
    )


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
