"""Likely label errors of a split, by its words and by a frozen encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.label_errors import (
    FOLDS,
    NO_LABEL_ERRORS,
    find_label_errors,
    knows_labels,
    neighbour_probabilities,
    out_of_sample_probabilities,
    word_view,
)
from ranklet.data.audit.result import LabelCheck
from ranklet.data.examples import Examples
from ranklet.data.texts import Text, in_one
from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet, as_written
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.vocabulary import Device, Precision


@dataclass(frozen=True)
class Suspect:
    """A row whose label is likely to be wrong.

    Attributes:
        label: The label that is more probable.
        margin: Probability of the given label minus that of the other.
    """

    label: str
    margin: float


def check_labels(
    examples: Examples,
    encoder: str | None,
    max_length: int,
    device: Device,
    precision: Precision,
    report: Callable[[str], None],
) -> tuple[LabelCheck | None, dict[int, Suspect]]:
    """Look for label errors.

    Args:
        examples: Cleaned texts with labels.
        encoder: Encoder whose mean-pooled states are further views, or None for words alone. It
            has no adapters: trained on these labels, they would vouch for the wrong ones.
        max_length: Longest text in tokens.
        device: Where the encoder computes.
        precision: Compute dtype of the encoder.
        report: Receives a line at each long stage.

    Returns:
        The figures, and what is wrong by row, the most certain first; None and nothing where fewer
        than two labels have enough rows.

    Raises:
        RankletError: The encoder cannot be loaded.
    """
    given = [as_written(label) for label in examples.labels or ()]
    sizes = Counter(given)
    frequent = [label for label, rows in sizes.items() if rows >= FOLDS]
    if len(frequent) < 2:
        return None, {}
    names = LabelSet.from_values(frequent).names
    rows = [row for row, label in enumerate(given) if label in frequent]
    checked = examples.select(rows)
    labels = np.array([names.index(given[row]) for row in rows], dtype=np.int64)
    report(f"judging {len(rows):,} labels by their words")
    words = word_view([in_one(text) for text in checked.texts])
    views = {} if words is None else {"words": out_of_sample_probabilities(words, labels)}
    if encoder is not None:
        report(f"computing the states of {len(rows):,} texts with {encoder}")
        states = frozen_states(encoder, checked.texts, max_length, device, precision)
        views[encoder] = out_of_sample_probabilities(states, labels)
        views[f"neighbours in {encoder}"] = neighbour_probabilities(states, labels)
    telling = [view for view in views.values() if knows_labels(labels, view)]
    errors = find_label_errors(labels, telling) if telling else NO_LABEL_ERRORS
    suspects = {
        rows[row]: Suspect(names[label], float(margin))
        for row, label, margin in zip(errors.rows, errors.suggested, errors.margin, strict=True)
    }
    pairs = Counter((given[row], found.label) for row, found in suspects.items())
    check = LabelCheck(
        views={name: float((view.argmax(1) == labels).mean()) for name, view in views.items()},
        left_out=tuple(name for name, view in views.items() if not knows_labels(labels, view)),
        checked=len(rows),
        likely_wrong=len(suspects),
        noise=errors.noise,
        confusions=dict(pairs.most_common()),
    )
    return check, suspects


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
