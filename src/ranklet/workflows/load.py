"""A trained classifier from a run or an adapter folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ranklet.encoder.precision import choose_device
from ranklet.run.folder import Run
from ranklet.run.model_source import (
    Model,
    ModelSource,
    as_model_source,
    dtype_of_trained,
    read_classifier,
    run_of,
)
from ranklet.saved.model import build_saved
from ranklet.saved.probes import check_probes
from ranklet.text_classifier import TextClassifier, merge_network
from ranklet.vocabulary import AttentionBackend, Device, Precision, ProblemType


def load(
    model: str | Path | Run | ModelSource,
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    device: Device | None = None,
    precision: Precision | None = None,
    problem_type: ProblemType | None = None,
    attention: AttentionBackend = "sdpa",
    merge: bool = False,
    compile: bool = False,
) -> TextClassifier:
    """Load a trained classifier and check that it answers as it did when it was saved.

    Args:
        model: A ranklet run, its `adapter` folder, any PEFT LoRA adapter of a supported encoder, a
            whole classifier of transformers, the hub id of either, or a `ModelSource`; of that,
            what is given here too is overridden.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for what carries none.
        device: Where it computes; None: `auto`.
        precision: Compute dtype of the frozen weights; None: `auto`, as of a `ModelSource`.
        problem_type: Whether a text has one label or several, for what does not say it; None: as
            the config.json of the encoder says, else one.
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
        "problem_type": problem_type,
    }
    given = {name: value for name, value in options.items() if value is not None}
    source = replace(as_model_source(model), **given)
    saved, where = read_classifier(source), choose_device(source.device)
    dtype = dtype_of_trained(run_of(source), source.precision, where)
    network = build_saved(saved, dtype=dtype, device=where, attention=attention)
    check_probes(network, saved.probes)
    if merge:
        merge_network(network, compile)
        check_probes(network, saved.probes)
    card = saved.folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return TextClassifier(network, saved.settings, saved.adapter, text, is_merged=merge)


def loaded(model: Model, *, merge: bool = False, compile: bool = False) -> TextClassifier:
    """Return a classifier as it is, or load it; arguments and errors as of `load`."""
    if isinstance(model, TextClassifier):
        return model
    return load(model, merge=merge, compile=compile)
