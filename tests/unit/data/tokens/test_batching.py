from __future__ import annotations

import numpy as np
import pytest

from ranklet.data.tokens.batching import epoch_batches, sorted_batches

LENGTHS = np.random.default_rng(0).integers(3, 129, size=5_000)


def padded_tokens(lengths: np.ndarray, batches: list[np.ndarray]) -> int:
    return sum(int(lengths[batch].max()) * len(batch) for batch in batches)


@pytest.mark.parametrize("limits", [(32, None), (None, 2_048)])
def test_bucketing_leaves_little_padding(limits: tuple[int | None, int | None]) -> None:
    size, tokens = limits
    batches = epoch_batches(LENGTHS, batch_size=size, batch_tokens=tokens, seed=1, epoch=0)
    random = np.array_split(np.random.default_rng(1).permutation(len(LENGTHS)), len(batches))
    assert padded_tokens(LENGTHS, batches) < 1.035 * LENGTHS.sum()
    assert padded_tokens(LENGTHS, random) > 1.5 * LENGTHS.sum()


@pytest.mark.parametrize("limits", [(32, None), (None, 2_048)])
def test_order_of_batches_is_not_by_length(limits: tuple[int | None, int | None]) -> None:
    size, tokens = limits
    batches = epoch_batches(LENGTHS, batch_size=size, batch_tokens=tokens, seed=1, epoch=0)
    means = [LENGTHS[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


def test_token_budget_is_nearly_filled() -> None:
    batches = epoch_batches(LENGTHS, batch_size=None, batch_tokens=2_048, seed=1, epoch=0)
    assert len(batches) <= 1.1 * LENGTHS.sum() / 2_048


def test_texts_longer_than_the_budget_are_alone() -> None:
    lengths = np.array([5, 100, 5, 100])
    for batches in (
        epoch_batches(lengths, batch_size=None, batch_tokens=10, seed=0, epoch=0),
        sorted_batches(lengths, batch_tokens=10),
    ):
        assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2], [1], [3]]


def test_budget_counts_padding() -> None:
    # 9 + 1 tokens fit into 10 packed, 2 x 9 do not fit padded.
    assert len(sorted_batches(np.array([9, 1]), batch_tokens=10)) == 2
    assert len(sorted_batches(np.array([5, 1]), batch_tokens=10)) == 1


def test_sorted_batches_are_longest_first_and_stable() -> None:
    batches = sorted_batches(np.array([3, 7, 3, 7, 5]), batch_size=2)
    assert [batch.tolist() for batch in batches] == [[1, 3], [4, 0], [2]]


def test_batches_of_one_epoch_are_fixed_across_versions() -> None:
    batches = epoch_batches(np.arange(1, 8), batch_size=3, batch_tokens=None, seed=7, epoch=2)
    assert [batch.tolist() for batch in batches] == [[3, 4, 5], [6], [0, 1, 2]]


@pytest.mark.parametrize(
    ("batch_size", "batch_tokens"), [(None, None), (1, 1), (0, None), (None, 0), (None, -5)]
)
def test_limits_that_make_no_sense(batch_size: int | None, batch_tokens: int | None) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        epoch_batches(LENGTHS, batch_size=batch_size, batch_tokens=batch_tokens, seed=0, epoch=0)
    with pytest.raises(ValueError, match="exactly one"):
        sorted_batches(LENGTHS, batch_size=batch_size, batch_tokens=batch_tokens)
