"""Which texts an epoch has, and in which order its first one comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranklet.data.tokens.batching import epoch_batches
from ranklet.data.tokens.sampling import draw_texts, draws_per_class, windows_of
from ranklet.vocabulary import Sampling

LABELS = np.array([0] * 16 + [1] * 4 + [2])


@pytest.mark.parametrize(
    ("sampling", "draws"),
    [
        ("shuffled", [16, 4, 1]),
        ("balanced", [7, 7, 7]),
        ("square_root", [12, 6, 3]),  # in proportion to 4, 2, 1
    ],
)
def test_draws_of_each_class_by_hand(sampling: Sampling, draws: list[int]) -> None:
    assert draws_per_class(np.bincount(LABELS), sampling).tolist() == draws


def test_what_rounding_loses_goes_where_it_is_missed_most() -> None:
    assert draws_per_class(np.array([5, 3]), "balanced").tolist() == [4, 4]
    assert draws_per_class(np.array([4, 2, 1]), "balanced").tolist() == [3, 2, 2]
    assert draws_per_class(np.array([3, 0, 1]), "balanced").tolist() == [2, 0, 2]


def test_texts_of_a_class_come_equally_often() -> None:
    texts = draw_texts(LABELS, "balanced", seed=3, epoch=0)
    repeats = np.bincount(texts, minlength=len(LABELS))
    assert sorted(repeats[:16].tolist()) == [0] * 9 + [1] * 7
    assert sorted(repeats[16:20].tolist()) == [1, 2, 2, 2]
    assert repeats[20] == 7


def test_shuffled_is_every_text_once() -> None:
    assert draw_texts(LABELS, "shuffled", 0, 0).tolist() == list(range(len(LABELS)))


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array),
    sampling=st.sampled_from(["shuffled", "square_root", "balanced"]),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 9),
)
def test_an_epoch_has_as_many_texts_as_there_are(
    labels: np.ndarray, sampling: Sampling, seed: int, epoch: int
) -> None:
    texts = draw_texts(labels, sampling, seed, epoch)
    assert len(texts) == len(labels)
    assert texts.tolist() == sorted(texts.tolist())
    assert texts.tolist() == draw_texts(labels, sampling, seed, epoch).tolist()
    counts = np.bincount(labels)
    draws = np.bincount(labels[texts], minlength=len(counts))
    assert draws.tolist() == draws_per_class(counts, sampling).tolist()
    for label in np.unique(labels):
        repeats = np.bincount(texts, minlength=len(labels))[labels == label]
        assert repeats.max() - repeats.min() <= 1
    if sampling == "balanced":
        assert draws[counts > 0].max() - draws[counts > 0].min() <= 1


def test_other_epochs_and_seeds_draw_other_texts() -> None:
    first = draw_texts(LABELS, "balanced", 3, 0).tolist()
    assert first != draw_texts(LABELS, "balanced", 3, 1).tolist()
    assert first != draw_texts(LABELS, "balanced", 4, 0).tolist()


def test_a_text_brings_all_its_windows() -> None:
    starts = np.array([0, 3, 4, 6])
    assert windows_of(np.array([0, 2, 2]), starts).tolist() == [0, 1, 2, 4, 5, 4, 5]
    assert windows_of(np.array([1, 1]), None).tolist() == [1, 1]


LENGTHS = np.random.default_rng(0).integers(3, 40, size=200)


@pytest.mark.parametrize("limits", [(8, None), (None, 100)])
def test_a_curriculum_goes_from_short_to_long(limits: tuple[int | None, int | None]) -> None:
    size, tokens = limits
    batches = [
        epoch_batches(
            LENGTHS, batch_size=size, batch_tokens=tokens, seed=seed, epoch=0, ascending=True
        )
        for seed in (1, 1, 2)
    ]
    order = np.concatenate(batches[0])
    assert sorted(order.tolist()) == list(range(200))
    assert (np.diff(LENGTHS[order]) >= 0).all()
    assert order.tolist() == np.concatenate(batches[1]).tolist()
    assert order.tolist() != np.concatenate(batches[2]).tolist()  # within one length


def test_a_curriculum_by_hand() -> None:
    batches = epoch_batches(
        np.array([9, 2, 7, 4, 1]), batch_size=2, batch_tokens=None, seed=0, epoch=0, ascending=True
    )
    assert [batch.tolist() for batch in batches] == [[4, 1], [3, 2], [0]]
