"""A trained classifier from a run or an adapter folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ranklet.encoder.precision import choose_device
from ranklet.errors import RunError
from ranklet.lora.adapter_file import CONFIG_FILE
from ranklet.run.folder import Run, open_run
from ranklet.saved.model import build_saved, read_saved
from ranklet.saved.probes import check_probes
from ranklet.text_classifier import TextClassifier, merge_network
from ranklet.vocabulary import AttentionBackend, Device, Precision
from ranklet.workflows.from_recipe.model import dtype_of_trained


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


def load(
    model: str | Path | Run | ModelSource,
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    device: Device | None = None,
    precision: Precision | None = None,
    attention: AttentionBackend = "sdpa",
    merge: bool = False,
    compile: bool = False,
) -> TextClassifier:
    """Load a trained classifier and check that it answers as it did when it was saved.

    Args:
        model: A ranklet run, its `adapter` folder, any PEFT LoRA adapter of a supported encoder,
            or a `ModelSource`; of that, what is given here too is overridden.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes; None: `auto`.
        precision: Compute dtype of the frozen weights; None: `auto`, as of a `ModelSource`.
        attention: Attention backend.
        merge: Add the adapters to the weights, and pack these for the processor beside themselves:
            faster, and the classifier can be neither trained nor moved any more.
        compile: With `merge`: have `torch.compile` write the layers' kernels instead of packing the
            weights; the first texts take its time.

    Returns:
        The classifier, ready to predict.

    Raises:
        RunError: No such run, it answers differently from when it was saved, or there is no
            compiler.
        AdapterError: The adapter is unusable, or does not fit the encoder or the labels.
        WeightsError: The encoder's files are unusable.
        HubError: The encoder is neither here nor to be had from the hub.
    """
    options: dict[str, Any] = {
        "encoder": encoder,
        "label_names": label_names,
        "device": device,
        "precision": precision,
    }
    given = {name: value for name, value in options.items() if value is not None}
    source = replace(as_model_source(model), **given)
    folder, where = adapter_folder(source.folder), choose_device(source.device)
    saved = read_saved(folder, encoder=source.encoder, label_names=source.label_names)
    dtype = dtype_of_trained(run_of(source), source.precision, where)
    network = build_saved(saved, dtype=dtype, device=where, attention=attention)
    check_probes(network, saved.probes)
    if merge:
        merge_network(network, compile)
        check_probes(network, saved.probes)
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return TextClassifier(network, saved.settings, saved.adapter, text, is_merged=merge)


def loaded(model: Model, *, merge: bool = False, compile: bool = False) -> TextClassifier:
    """Return a classifier as it is, or load it; arguments and errors as of `load`."""
    if isinstance(model, TextClassifier):
        return model
    return load(model, merge=merge, compile=compile)


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
    """
    if (path / CONFIG_FILE).is_file():
        return path
    if Run(path).recipe.is_file() or not path.is_dir():
        return open_run(path).adapter
    raise RunError(
        f"{path}: holds neither a run (recipe.yaml) nor a PEFT adapter ({CONFIG_FILE}); "
        "name such a folder"
    )


def is_run(path: Path) -> bool:
    """Tell whether a folder is a finished run rather than a bare adapter."""
    return run_of(path) is not None
