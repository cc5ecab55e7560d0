"""Probe texts: what a saved classifier answered when it was written, compared at every load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ranklet.classifier import ClassifierNetwork, Preprocessing
from ranklet.data.texts import Text, in_one
from ranklet.encoder.precision import dtype_name
from ranklet.errors import AdapterError, RunError
from ranklet.files import read_json_object

PROBES_FILE = "probes.json"

PROBE_TEXTS = (
    "",
    "a",
    "The minister met farmers in the capital to talk about water.",
    "Late goal gives the home side a draw in the rain!",
    "Shares fell 3.5% after the company cut its outlook for the year.",
    "Researchers trained a small network on a laptop; it found two new comets.",
    "ALL CAPITALS, numbers 0123456789, symbols #$%&@ and accents: déjà vu, naïve, Łódź.",
    "one two three four five six seven eight nine ten " * 6,
)
"""Texts whose logits identify a model; they need not resemble its data."""

PROBE_PAIRS: tuple[Text, ...] = tuple(
    zip(PROBE_TEXTS, (*PROBE_TEXTS[2:], *PROBE_TEXTS[:2]), strict=True)
)
"""The same for a model of pairs."""
# A stranger's probes are computed at every load.
MOST_PROBES, LONGEST_PROBE = 64, 1_000

# Largest accepted difference of a probe logit, relative to the largest logit. Kernels of another
# processor round differently: 1e-3 is far above that in float32, 5e-2 in bfloat16, and a head that
# was lost or replaced differs by about 1.
PROBE_TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}


@dataclass(frozen=True, eq=False)
class Probes:
    """What a classifier answered when it was saved.

    Attributes:
        path: The file that says so.
        texts: What it was asked.
        logits: (texts, classes) float32.
        dtype: Compute dtype of that time.
    """

    path: Path
    texts: tuple[Text, ...]
    logits: Tensor
    dtype: torch.dtype


def read_probes(folder: Path) -> Probes | None:
    """Read the probes of a saved classifier; None where it carries none.

    Raises:
        AdapterError: The file is broken.
        RunError: It holds something else than probes.
    """
    path = folder / PROBES_FILE
    if not path.exists():
        return None
    record = read_json_object(path, AdapterError)
    try:
        dtype = getattr(torch, record["dtype"])
        _ = PROBE_TOLERANCE[dtype]
        texts = texts_of(record["texts"])
        logits = torch.tensor(record["logits"], dtype=torch.float32)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path}: not a probe file ({error!r}); save the model again") from error
    if len(texts) > MOST_PROBES or any(len(in_one(text)) > LONGEST_PROBE for text in texts):
        raise RunError(
            f"{path}: not a probe file (at most {MOST_PROBES} texts of {LONGEST_PROBE:,} "
            "characters); save the model again"
        )
    # Logits of infinity would be as near to any answer as to the right one.
    if len(logits) != len(texts) or not len(texts) or not bool(logits.isfinite().all()):
        raise RunError(
            f"{path}: not a probe file (must hold one row of finite logits for each text); save "
            "the model again"
        )
    return Probes(path, texts, logits, dtype)


def check_probes(model: ClassifierNetwork, probes: Probes | None) -> float | None:
    """Refuse a classifier that answers its probe texts differently from when it was saved.

    Returns:
        The largest difference of a logit; None where there are no probes.

    Raises:
        RunError: The logits differ by more than `PROBE_TOLERANCE`.
    """
    if probes is None:
        return None
    logits, stored = model.predict_logits(_preprocessing(model).corpus(probes.texts)), probes.logits
    if logits.shape != stored.shape:
        message = f"{probes.path}: {tuple(stored.shape)} logits stored, {tuple(logits.shape)} found"
        raise RunError(message)
    difference = float((logits - stored).abs().max())
    tolerance = max(PROBE_TOLERANCE[probes.dtype], PROBE_TOLERANCE[compute_dtype(model)])
    if not difference <= tolerance * float(stored.abs().max()):
        raise RunError(
            f"{probes.path.parent}: the model answers differently from when it was saved (a probe "
            f"logit is off by {difference:.3g}); its adapter, encoder or tokenizer files were "
            "changed"
        )
    return difference


def compute_dtype(model: ClassifierNetwork) -> torch.dtype:
    """Return the dtype of the frozen weights."""
    return next(p.dtype for p in model.encoder.parameters() if not p.requires_grad)


def probe_record(model: ClassifierNetwork) -> dict[str, Any]:
    """Return the probe texts with the logits that a classifier gives them, as JSON types."""
    preprocessing = _preprocessing(model)
    texts = PROBE_PAIRS if preprocessing.pair else PROBE_TEXTS
    logits = model.predict_logits(preprocessing.corpus(texts))
    dtype = dtype_name(compute_dtype(model))
    return {"texts": list(texts), "dtype": dtype, "logits": logits.tolist()}


def texts_of(values: Iterable[Any]) -> tuple[Text, ...]:
    """Return texts as they were before they were JSON, in which a pair is a list.

    Raises:
        TypeError: A pair of another number of texts than two.
    """
    return tuple(
        _pair(*value) if isinstance(value, list | tuple) else str(value) for value in values
    )


def _pair(first: object, second: object) -> Text:
    return str(first), str(second)


def _preprocessing(model: ClassifierNetwork) -> Preprocessing:
    assert model.preprocessing is not None
    return model.preprocessing
