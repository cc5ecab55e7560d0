"""The states of a frozen encoder, which labels are judged by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ranklet.data.texts import Text
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.vocabulary import Device, Precision


def frozen_states(
    encoder: str,
    texts: tuple[Text, ...],
    max_length: int,
    device: Device,
    precision: Precision,
) -> NDArray[np.float32]:
    """Return the mean-pooled last states of an encoder without adapters.

    Args:
        encoder: Known name, folder or hub id.
        texts: Cleaned texts.
        max_length: Longest text in tokens; what is longer is cut.
        device: Where it computes.
        precision: Compute dtype.

    Returns:
        (texts, hidden) float32.
    """
    prepare_memory()
    chosen = choose_device(device)
    pair = isinstance(texts[0], tuple)
    settings = ClassifierSettings(encoder, "linear", "mean", max_length, cleaning=(), pair=pair)
    # A linear head reads the pooled states as they are; its labels play no part.
    unused = LabelSet(("0", "1"))
    dtype = choose_dtype(precision, chosen)
    model = assemble(settings, EncoderSource(encoder), unused, None, dtype=dtype, device=chosen)
    states: NDArray[np.float32] = model.predict_features(
        model.corpus(texts), np.arange(len(texts))
    ).numpy()
    return states
