"""Which texts share a batch: seeded epochs for training, a sorted order for everything else.

Only lengths are looked at. A token budget counts padded tokens, longest text x texts: that bounds
memory for every attention backend (the packed count is never larger), so one budget means the
same thing everywhere.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

# Wide enough that a batch holds near lengths, narrow enough that an epoch stays well mixed.
WINDOW_BATCHES = 50


def epoch_batches(
    lengths: NDArray[np.integer],
    *,
    batch_size: int | None,
    batch_tokens: int | None,
    seed: int,
    epoch: int,
    ascending: bool = False,
) -> list[Indices]:
    """Group the texts of one training epoch, each exactly once.

    The texts are shuffled, sorted by length inside windows of about 50 batches, cut into batches,
    and the batches shuffled. Under `batch_size` there are ceil(texts / batch_size) batches in
    every epoch; under `batch_tokens` their number varies a little from epoch to epoch.

    Args:
        lengths: (texts,) tokens of each text.
        batch_size: Texts per batch, or None.
        batch_tokens: Most padded tokens per batch, longest text x texts, or None; a text longer
            than that is alone in its batch. Exactly one of the two is given.
        seed: Seed of the whole training, not negative.
        epoch: Epoch counted from 0; the same (seed, epoch) gives the same batches.
        ascending: From the shortest text to the longest, texts of one length shuffled: a curriculum
            (Bengio et al. 2009, doi:10.1145/1553374.1553380) by length, as Spitkovsky et al. 2010
            (N10-1116) have it; they begin with short sentences alone and add longer ones in stages,
            here every text comes once.

    Returns:
        One (texts of the batch,) int64 array of indices per batch.

    Raises:
        ValueError: Not exactly one positive limit.
    """
    _check_limits(batch_size, batch_tokens)
    generator = np.random.default_rng(np.random.SeedSequence((seed, epoch)))
    window = WINDOW_BATCHES * (batch_size or _mean_batch(lengths, batch_tokens or 1))
    shuffled = generator.permutation(len(lengths))
    if ascending:
        by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
        return _cut(lengths, by_length, batch_size, batch_tokens)
    order = _bucketed(lengths, shuffled, window)
    batches = _cut(lengths, order, batch_size, batch_tokens)
    return [batches[position] for position in generator.permutation(len(batches))]


def sorted_batches(
    lengths: NDArray[np.integer], *, batch_size: int | None = None, batch_tokens: int | None = None
) -> list[Indices]:
    """Group texts for evaluation and prediction: longest first, least padding, no randomness.

    Longest first, so that running out of memory shows in the first batch.

    Lengths, (texts,) in tokens, and limits are as in `epoch_batches`.

    Returns:
        One (texts of the batch,) int64 array of indices per batch; together every text once.

    Raises:
        ValueError: Not exactly one positive limit.
    """
    _check_limits(batch_size, batch_tokens)
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    return _cut(lengths, order, batch_size, batch_tokens)


def _check_limits(batch_size: int | None, batch_tokens: int | None) -> None:
    limits = [limit for limit in (batch_size, batch_tokens) if limit is not None]
    if len(limits) != 1 or limits[0] < 1:
        raise ValueError(
            f"batch_size {batch_size} and batch_tokens {batch_tokens}: "
            "give exactly one of them, at least 1"
        )


def _mean_batch(lengths: NDArray[np.integer], batch_tokens: int) -> int:
    mean_length = max(1.0, float(lengths.mean())) if len(lengths) else 1.0
    return max(1, int(batch_tokens / mean_length))


def _bucketed(lengths: NDArray[np.integer], order: Indices, window: int) -> Indices:
    windows = [order[start : start + window] for start in range(0, len(order), window)]
    ascending = [part[np.argsort(lengths[part], kind="stable")] for part in windows]
    # Up, then down: a batch cut across the border of two windows still holds near lengths.
    snake = [part[::-1] if turn % 2 else part for turn, part in enumerate(ascending)]
    return np.concatenate([np.empty(0, dtype=np.int64), *snake])


def _cut(
    lengths: NDArray[np.integer], order: Indices, batch_size: int | None, batch_tokens: int | None
) -> list[Indices]:
    if batch_size is not None:
        starts = list(range(0, len(order), batch_size))
    else:
        starts = _budget_starts(lengths[order].tolist(), batch_tokens or 1)
    return [order[start:end] for start, end in pairwise([*starts, len(order)])]


def _budget_starts(lengths: list[int], batch_tokens: int) -> list[int]:
    starts: list[int] = []
    longest = 0
    for position, length in enumerate(lengths):
        widened = max(longest, length)
        if starts and widened * (position - starts[-1] + 1) <= batch_tokens:
            longest = widened
        else:
            starts.append(position)
            longest = length
    return starts
