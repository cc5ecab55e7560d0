"""classify: the label and probabilities of a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ranklet.encoder.precision import Device, Precision
from ranklet.workflows.load import load


@dataclass(frozen=True)
class Classification:
    """The answer for one text.

    Attributes:
        text: The text.
        label: Its most probable label.
        probabilities: Probability of every label, in the classifier's order.
    """

    text: str
    label: str
    probabilities: dict[str, float]


def classify(
    path: str | Path,
    texts: Sequence[str],
    *,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
) -> list[Classification]:
    """Classify texts with a run or an adapter folder.

    Args:
        path: A run, or an adapter folder.
        texts: What to classify.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes.
        precision: Compute dtype of the frozen weights.

    Raises:
        RankletError: The classifier cannot be loaded, or a text cannot be tokenized.
    """
    model = load(path, encoder=encoder, labels=label_names, device=device, precision=precision)
    names = model.labels.names
    return [
        Classification(text, names[int(row.argmax())], dict(zip(names, row.tolist(), strict=True)))
        for text, row in zip(texts, model.predict_proba(texts), strict=True)
    ]
