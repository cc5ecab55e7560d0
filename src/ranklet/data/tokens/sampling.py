"""Which training texts an epoch has: each once, or drawn so that rare labels come more often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ranklet.vocabulary import Sampling

# Exponents q of Kang et al. 2020 (arXiv:1910.09217, equation 1).
_EXPONENTS = {"shuffled": 1.0, "square_root": 0.5, "balanced": 0.0}


def draws_per_class(counts: NDArray[np.int64], sampling: Sampling) -> NDArray[np.int64]:
    """Return how many texts of each class an epoch has; together as many as there are texts.

    They are in proportion to the number of texts of the class to the power of 1, 1/2 or 0 (Kang et
    al. 2020, arXiv:1910.09217, equation 1), rounded down, and one more for those that lost most by
    that, of equal ones the first.

    Args:
        counts: (classes,) texts of each class; one without texts gets none.
        sampling: Which.
    """
    shares = np.where(counts > 0, counts ** _EXPONENTS[sampling], 0.0)
    exact = counts.sum() * shares / shares.sum()
    # The products of equal shares with a whole number may miss it by a rounding.
    draws: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(draws - exact, kind="stable")
    draws[order[: int(counts.sum() - draws.sum())]] += 1
    return draws


def draw_rows(count: int, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return all of `count` rows, or where there are more than `most`, so many, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, most, replace=False))


def draw_texts(
    labels: NDArray[np.int64], sampling: Sampling, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Draw the texts of an epoch, as many as there are.

    Within a class no text comes twice more often than another: each as often as goes, and the rest
    is drawn without replacement, others in every epoch.

    Args:
        labels: (texts,) class indices.
        sampling: `shuffled` draws nothing: every text once, in the given order.
        seed: Seed of the whole training.
        epoch: Epoch counted from 0; the same (seed, epoch) gives the same texts.

    Returns:
        (texts,) int64 indices, ascending.
    """
    if sampling == "shuffled":
        return np.arange(len(labels))
    generator = np.random.default_rng((seed, epoch, 1))
    repeats = np.zeros(len(labels), dtype=np.int64)
    for index, draws in enumerate(draws_per_class(np.bincount(labels), sampling)):
        texts = np.flatnonzero(labels == index)
        if len(texts):
            times, more = divmod(int(draws), len(texts))
            repeats[texts] = times
            repeats[generator.choice(texts, more, replace=False)] += 1
    return np.repeat(np.arange(len(labels)), repeats)


def windows_of(
    texts: NDArray[np.int64], text_starts: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Return all windows of some texts; the texts themselves where none is split.

    Args:
        texts: (n,) int64 indices.
        text_starts: (all texts + 1,) int64, where the windows of each text begin, or None.
    """
    if text_starts is None:
        return texts
    parts = [np.arange(text_starts[text], text_starts[text + 1]) for text in texts]
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
