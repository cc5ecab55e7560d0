"""How long the texts of a run are and how many each label has, by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 40
_DRAWN_SHARE = 0.995  # a few very long texts would press all others into one bin


@dataclass(frozen=True)
class Lengths:
    """How many texts there are of each length.

    Attributes:
        starts: Shortest length of each bin; a bin reaches up to the next one, the last has no end.
        texts: Split to the texts in each bin.
        limits: Field of the recipe to the length it names.
    """

    starts: tuple[int, ...]
    texts: Mapping[str, tuple[int, ...]]
    limits: Mapping[str, int]


@dataclass(frozen=True)
class DataDescription:
    """What a model was trained and evaluated on, in numbers.

    Attributes:
        words: Words, which lie between blanks, of the training texts before the word limits, and of
            the other splits.
        tokens: Tokens read of each text, special ones included; windows of a text are added up.
        labels: Names of the labels in the order of the logits.
        rows: Split to its number of texts.
        label_rows: Split to the texts that have each label.
        label_values: How the training file writes the labels, where not by their names.
    """

    words: Lengths
    tokens: Lengths
    labels: tuple[str, ...]
    rows: Mapping[str, int]
    label_rows: Mapping[str, tuple[int, ...]]
    label_values: tuple[str, ...] | None = None


def count_lengths(
    lengths: Mapping[str, Sequence[int] | NDArray[np.integer]], limits: Mapping[str, int]
) -> Lengths:
    """Sort texts into about 40 bins of equal width by their length.

    The last bin takes in the longest 0.5 % of all texts.

    Args:
        lengths: Split to the length of each text; one at least is not empty.
        limits: Field of the recipe to the length it names.
    """
    everything = np.concatenate([np.asarray(counts) for counts in lengths.values()])
    top = int(np.quantile(everything, _DRAWN_SHARE, method="higher"))
    width = max(1, -(-top // _BINS))
    last = top // width
    return Lengths(
        starts=tuple(place * width for place in range(last + 1)),
        texts={
            split: tuple(
                np.bincount(
                    np.minimum(np.asarray(counts) // width, last), minlength=last + 1
                ).tolist()
            )
            for split, counts in lengths.items()
        },
        limits=dict(limits),
    )


def count_labels(labels: NDArray[np.integer], classes: int) -> tuple[int, ...]:
    """Count the texts that have each label.

    Args:
        labels: (texts,) class indices, or (texts, classes) of 0 and 1.
        classes: Number of labels.
    """
    counts = labels.sum(0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)
    return tuple(counts.tolist())
