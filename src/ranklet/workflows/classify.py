"""The label and probabilities of a few texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ranklet.data.reading.memory import plain_texts
from ranklet.data.texts import Text
from ranklet.labels import Label
from ranklet.run.model_source import Model
from ranklet.workflows.load import loaded


@dataclass(frozen=True)
class Classification:
    """The answer for one text.

    Attributes:
        text: The text.
        label: Its most probable label; a tuple of its labels where it may have several.
        probabilities: Probability of every label, in the classifier's order.
    """

    text: Text
    label: Label
    probabilities: dict[str, float]


def classify(model: Model, texts: Iterable[Text]) -> list[Classification]:
    """Classify a few texts.

    Args:
        model: A run, an adapter folder, a `ModelSource`, or a loaded classifier.
        texts: A list, NumPy array or pandas Series of str, or of pairs of them.

    Raises:
        DataError: Something else than texts.
        RankletError: The classifier cannot be loaded, or a text cannot be tokenized.
    """
    classifier, plain = loaded(model), plain_texts(texts)
    names, probabilities = classifier.labels.names, classifier.predict_proba(plain)
    labels = classifier.problem.answers(probabilities, names)
    return [
        Classification(text, label, dict(zip(names, row.tolist(), strict=True)))
        for text, label, row in zip(plain, labels, probabilities, strict=True)
    ]
