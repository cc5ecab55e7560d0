"""The label and probabilities of a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ranklet.labels import Label
from ranklet.vocabulary import Device, Precision
from ranklet.workflows.load import load


@dataclass(frozen=True)
class Classification:
    """The answer for one text.

    Attributes:
        text: The text.
        label: Its most probable label; a tuple of its labels where it may have several.
        probabilities: Probability of every label, in the classifier's order.
    """

    text: str
    label: Label
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
    names, probabilities = model.labels.names, model.predict_proba(texts)
    labels = model.problem.answers(probabilities, names)
    return [
        Classification(text, label, dict(zip(names, row.tolist(), strict=True)))
        for text, label, row in zip(texts, labels, probabilities, strict=True)
    ]
