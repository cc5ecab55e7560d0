"""What holds for windows over any text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ranklet.data.tokens.long_texts import LongTexts, aggregate, cut_text, window_weights
from ranklet.vocabulary import Aggregation


@given(
    tokens=st.integers(0, 200),
    special=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    room=st.integers(1, 40),
    overlap=st.floats(0, 1, exclude_max=True),
)
def test_windows_hold_every_token_and_overlap_as_asked(
    tokens: int, special: tuple[int, int], room: int, overlap: float
) -> None:
    start, end = special
    before, after = [-1] * start, [-2] * end
    ids = [*before, *range(tokens), *after]
    max_length = room + start + end
    windows = cut_text(ids, start, end, max_length, LongTexts("windows", overlap))
    own = [window[start : len(window) - end] for window in windows]
    assert all(window == [*before, *o, *after] for window, o in zip(windows, own, strict=True))
    assert all(len(window) <= max_length for window in windows)
    assert all(len(window) == max_length for window in windows[:-1])
    assert all(o == list(range(o[0], o[-1] + 1)) for o in own if o)
    assert set(range(tokens)) == {token for o in own for token in o}
    repeated = min(int(room * overlap), room - 1)
    assert all(len(set(a) & set(b)) == repeated for a, b in pairwise(own))
    # None is spare: each but the first has a token that no earlier one has.
    assert all(b[-1] > a[-1] for a, b in pairwise(own))


@given(tokens=st.integers(1, 200), room=st.integers(1, 40))
def test_head_and_tail_are_the_ends_of_the_text(tokens: int, room: int) -> None:
    (row,) = cut_text([-1, *range(tokens), -2], 1, 1, room + 2, LongTexts("head_tail"))
    own = row[1:-1]
    assert len(own) == min(tokens, room)
    head = sum(place == token for place, token in enumerate(own))
    assert own == list(range(head)) + list(range(tokens - (len(own) - head), tokens))
    if tokens > room:
        assert head == (room + 2) // 4


counts = st.lists(st.integers(1, 5), min_size=1, max_size=6)


@given(counts=counts)
def test_every_text_counts_alike(counts: list[int]) -> None:
    weights = window_weights(np.concatenate([[0], np.cumsum(counts)]))
    assert weights.mean() == pytest.approx(1.0, rel=1e-5)
    totals = [part.sum() for part in np.split(weights, np.cumsum(counts)[:-1])]
    assert totals == pytest.approx([totals[0]] * len(counts), rel=1e-5)


@given(counts=counts, aggregation=st.sampled_from(["mean", "max", "vote"]), data=st.data())
def test_aggregated_answers_are_probabilities(
    counts: list[int], aggregation: Aggregation, data: st.DataObject
) -> None:
    numbers = st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)
    rows = data.draw(st.lists(numbers, min_size=sum(counts), max_size=sum(counts)))
    logits, starts = torch.tensor(rows), np.concatenate([[0], np.cumsum(counts)])
    found = aggregate(logits, starts, aggregation)
    assert torch.allclose(found.exp().sum(-1), torch.ones(len(counts)), atol=1e-5)
    for text, (start, end) in enumerate(pairwise(starts.tolist())):
        alone = aggregate(logits[start:end], np.array([0, end - start]), aggregation)
        assert torch.allclose(found[text], alone[0], atol=1e-5)
        if end - start == 1:
            assert torch.allclose(found[text], logits[start].log_softmax(-1), atol=1e-4)
