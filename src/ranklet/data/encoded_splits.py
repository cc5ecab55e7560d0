"""The splits of a training with labels as class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ranklet.data.duplicates import DuplicateReport
from ranklet.data.examples import Examples, encode_labels
from ranklet.data.texts import Text
from ranklet.labels import LabelSet


@dataclass(frozen=True)
class EncodedSplit:
    """One split, ready to be tokenized.

    Attributes:
        texts: Cleaned texts, or pairs of them.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
        source: Where it came from.
    """

    texts: tuple[Text, ...]
    labels: np.ndarray
    source: str


@dataclass(frozen=True)
class Splits:
    """All splits of a recipe and what was done to them.

    Attributes:
        labels: Classes, from the training split.
        train: What is trained on.
        validation: What chooses.
        test: What is reported, or None.
        duplicates: Duplicates found and dropped.
        empty: Training rows that were left out because their text is empty.
        filtered_words: Words of each training row outside the word limits.
        sha256: Of what was read, by split: the bytes of a local file, or texts in memory.
        label_values: Integers that stand for the labels in the training source, where these are
            neither names nor 0 .. n-1.
        spellings: How the training source mostly writes each label.
        traits: How the sources are written, where that is unusual, in words.
        notes: What was read otherwise than it is written, in words.
    """

    labels: LabelSet
    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit | None
    duplicates: DuplicateReport
    empty: int = 0
    filtered_words: tuple[int, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    label_values: tuple[int, ...] | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def filtered(self) -> int:
        """Training rows outside the word limits."""
        return len(self.filtered_words)


def encode(examples: Examples, labels: LabelSet) -> EncodedSplit:
    """Encode the labels of a split.

    Raises:
        DataError: A label that the training split lacks.
    """
    return EncodedSplit(examples.texts, encode_labels(examples, labels), examples.source)
