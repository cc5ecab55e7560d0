"""What a training text file looks like to the rules that choose settings from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.data.encoded_splits import Splits
from ranklet.data.tokens.tokenizer import load_tokenizer, tokenize
from ranklet.encoder.source import EncoderSource
from ranklet.evaluation.data_description import count_labels
from ranklet.recipe import Recipe
from ranklet.recipe.sections.adapter import AdapterSection
from ranklet.vocabulary import Pooling
from ranklet.workflows.from_recipe.placement import plan_for_labels

RANKS = (8, 6, 4, 3, 2, 1)
SAMPLE = 1000
"""Texts whose tokens are counted, spread evenly over the file."""


@dataclass(frozen=True)
class Sight:
    """Training texts and the encoder that is to read them.

    Attributes:
        rows: Training texts.
        classes: Labels.
        several: Whether a text may have several labels.
        fewest: Texts of the rarest label that has any.
        most: Texts of the most frequent label.
        tokens: Longest text but for one in twenty, in tokens.
        longest: Tokens that the encoder can read at most.
        hidden_size: Width of a hidden state of the encoder.
        sentence_pooling: How the encoder was trained to pool, where it was trained for sentences.
        budget: Most parameters that may be trained.
        rank: Largest of `RANKS` with which adapters of every linear layer and a linear head
            are within it; 1 where none is.
        own_validation: Whether validation has a source of its own.
    """

    rows: int
    classes: int
    several: bool
    fewest: int
    most: int
    tokens: int
    longest: int
    hidden_size: int
    sentence_pooling: Pooling | None
    budget: int
    rank: int
    own_validation: bool = False

    @property
    def imbalance(self) -> float:
        """How many times more texts the most frequent label has than the rarest."""
        return self.most / self.fewest


def look(recipe: Recipe, splits: Splits, encoder: EncoderSource) -> Sight:
    """Look at training texts with the eyes of an encoder.

    Args:
        recipe: Names the budget.
        splits: The texts.
        encoder: What is to read them.

    Raises:
        WeightsError: The encoder has no usable tokenizer.
        HubError: It is to be downloaded and cannot be had.
    """
    labels, classes = splits.train.labels, len(splits.labels)
    fewest, most = fewest_and_most(labels, classes)
    texts = splits.train.texts[:: -(-len(splits.train.texts) // SAMPLE)]
    longest = encoder.config.max_length
    tokenizer = load_tokenizer(encoder.folder)
    tokens = tokenize(tokenizer, texts, longest)
    lengths = np.diff(tokens.offsets)
    return Sight(
        rows=len(splits.train.texts),
        classes=classes,
        several=labels.ndim == 2,
        fewest=fewest,
        most=most,
        tokens=int(np.quantile(lengths, 0.95)),
        longest=longest,
        hidden_size=encoder.config.hidden_size,
        sentence_pooling=encoder.sentence_pooling,
        budget=recipe.budget,
        rank=_fitting_rank(recipe, encoder, classes),
        own_validation=isinstance(recipe.data.validation, str),
    )


def fewest_and_most(labels: NDArray[np.integer], classes: int) -> tuple[int, int]:
    """Return the texts of the rarest label that has any, and of the most frequent one.

    Args:
        labels: Class of each text, (texts,), or (texts, classes) of 0 and 1.
        classes: Number of labels.
    """
    present = [count for count in count_labels(labels, classes) if count]
    return min(present, default=1), max(present, default=1)


def _fitting_rank(recipe: Recipe, encoder: EncoderSource, classes: int) -> int:
    def total(rank: int) -> int:
        adapter = AdapterSection(rank=rank, target_modules="all-linear")
        changes = {"adapter": adapter, "head": "linear", "pooling": "mean"}
        return plan_for_labels(recipe.model_copy(update=changes), encoder, classes).total

    return next((rank for rank in RANKS if total(rank) <= recipe.budget), RANKS[-1])
