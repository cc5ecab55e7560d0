"""The splits of a training with labels as class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ranklet.data.duplicates import DuplicateReport
from ranklet.data.examples import Examples, encode_labels
from ranklet.labels import LabelSet


@dataclass(frozen=True)
class EncodedSplit:
    """One split, ready to be tokenized.

    Attributes:
        texts: Cleaned texts.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1.
        source: Where it came from.
    """

    texts: tuple[str, ...]
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
        filtered_words: Words of each training row outside the word limits.
        sha256: Of what was read, by split: the bytes of a local file, or texts in memory.
        notes: What a person should know of the reading of each.
    """

    labels: LabelSet
    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit | None
    duplicates: DuplicateReport
    filtered_words: tuple[int, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
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
