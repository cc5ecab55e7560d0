"""A trained classifier from a run or an adapter folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ranklet.classifier import TextClassifier
from ranklet.encoder.compiled_layers import compile_layers
from ranklet.encoder.families import AnyEncoder
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.packed_linear import can_pack, pack_linear_maps
from ranklet.encoder.precision import choose_device, choose_dtype
from ranklet.errors import RunError
from ranklet.lora.adapter_file import CONFIG_FILE
from ranklet.lora.merge import merge_adapters
from ranklet.run.folder import Run, open_run
from ranklet.saved.model import build_saved, read_saved
from ranklet.saved.probes import check_probes
from ranklet.vocabulary import AttentionBackend, Device, Precision


def load(
    path: str | Path,
    *,
    encoder: str | None = None,
    labels: Sequence[str] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    attention: AttentionBackend = "sdpa",
    merge: bool = False,
    compile: bool = False,
) -> TextClassifier:
    """Load a trained classifier and check that it answers as it did when it was saved.

    Args:
        path: A ranklet run, its `adapter` folder, or any PEFT LoRA adapter of a supported encoder.
        encoder: Used instead of the encoder that the adapter names.
        labels: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes.
        precision: Compute dtype of the frozen weights.
        attention: Attention backend.
        merge: Add the adapters to the weights, and pack these for the processor beside themselves:
            faster, and the classifier can be neither trained nor saved nor moved any more.
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
    chosen = choose_device(device)
    folder = adapter_folder(Path(path))
    saved = read_saved(folder, encoder=encoder, label_names=labels)
    dtype = choose_dtype(precision, chosen)
    model = build_saved(saved, dtype=dtype, device=chosen, attention=attention)
    check_probes(model, saved.probes)
    if merge:
        merge_adapters(model)
        if compile:
            compile_layers(model.encoder, chosen)
        else:
            _pack_layers(model.encoder, chosen)
        check_probes(model, saved.probes)
    return model


def _pack_layers(encoder: AnyEncoder, device: torch.device) -> None:
    # Layers of transformers may read their weights; the fused layer would, and serves gradients.
    dtype = next(encoder.parameters()).dtype
    if isinstance(encoder, NativeEncoder) and encoder.fused and can_pack(device, dtype):
        encoder.fused = False
        pack_linear_maps(encoder.layers)


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
    return Run(path).is_finished and not (path / CONFIG_FILE).is_file()
