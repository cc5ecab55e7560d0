"""Lengths and labels of the texts of a run, by split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranklet.data.encoded_splits import Splits
from ranklet.data.texts import in_one
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.data.words import count_words
from ranklet.evaluation.data_description import DataDescription, count_labels, count_lengths
from ranklet.recipe import DataSection


def describe_data(
    data: DataSection, splits: Splits, corpora: Mapping[str, TokenCorpus]
) -> DataDescription:
    """Count words, tokens and labels of every split.

    Args:
        data: Names the limits.
        splits: The texts.
        corpora: The same, tokenized, by split.
    """
    all_splits = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    named = {name: split for name, split in all_splits.items() if split is not None}
    words = {
        name: [count_words(in_one(text)) for text in split.texts] for name, split in named.items()
    }
    words["train"] += splits.filtered_words
    classes = len(splits.labels)
    spelled = tuple(splits.spellings.get(name, name) for name in splits.labels.names)
    return DataDescription(
        words=count_lengths(words, _limits(data, "min_words", "max_words")),
        tokens=count_lengths(
            {name: _tokens(corpora[name]) for name in named}, _limits(data, "max_length")
        ),
        labels=splits.labels.names,
        rows={name: len(split.texts) for name, split in named.items()},
        label_rows={name: count_labels(split.labels, classes) for name, split in named.items()},
        label_values=None if spelled == splits.labels.names else spelled,
    )


def _limits(data: DataSection, *fields: str) -> dict[str, int]:
    limits = {name: getattr(data, name) for name in fields}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _tokens(corpus: TokenCorpus) -> NDArray[np.int64]:
    starts = corpus.text_starts
    if starts is None:
        return corpus.lengths
    return np.add.reduceat(corpus.lengths, starts[:-1])
