"""Long texts: head, head and tail, windows, their weights and what they say together, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.data.tokens.corpus import TokenCorpus, num_texts, text_labels
from ranklet.data.tokens.long_texts import (
    LongTexts,
    aggregate,
    cut_text,
    head_tokens,
    window_starts,
    window_weights,
)
from ranklet.training.losses import cross_entropy, one_pass
from ranklet.training.resident_corpus import resident
from ranklet.vocabulary import Aggregation

# Two special tokens before a text of ten and one behind it.
IDS = [101, 102, *range(10), 200]


def row(first: int, end: int) -> list[int]:
    return [101, 102, *range(first, end), 200]


def cut(max_length: int, long_texts: LongTexts) -> list[list[int]]:
    return cut_text(IDS, 2, 1, max_length, long_texts)


@pytest.mark.parametrize(
    ("max_length", "long_texts", "rows"),
    [
        (8, LongTexts(), [[101, 102, 0, 1, 2, 3, 4, 200]]),
        (13, LongTexts("head_tail"), [IDS]),
        (11, LongTexts("head_tail"), [[101, 102, 0, 1, 4, 5, 6, 7, 8, 9, 200]]),
        (4, LongTexts("head_tail"), [[101, 102, 9, 200]]),
        (
            9,
            LongTexts("windows", 0.5),  # 6 of their own, 3 of them again
            [row(0, 6), row(3, 9), row(6, 10)],
        ),
        (8, LongTexts("windows", 0.0), [row(0, 5), row(5, 10)]),
        (4, LongTexts("windows", 0.9), [[101, 102, token, 200] for token in range(10)]),
        (13, LongTexts("windows", 0.5), [IDS]),
    ],
)  # fmt: skip
def test_a_text_is_cut_as_asked(
    max_length: int, long_texts: LongTexts, rows: list[list[int]]
) -> None:
    assert cut(max_length, long_texts) == rows


def test_head_and_tail_are_those_of_the_paper() -> None:
    assert (head_tokens(510), 510 - head_tokens(510)) == (128, 382)
    assert [head_tokens(room) for room in (1, 2, 4, 8)] == [0, 1, 1, 2]


def test_windows_start_a_stride_apart_until_the_end_is_reached() -> None:
    assert list(window_starts(11, 10, 0.25)) == [0, 8]
    assert list(window_starts(18, 10, 0.25)) == [0, 8]
    assert list(window_starts(19, 10, 0.25)) == [0, 8, 16]
    assert list(window_starts(12, 10, 0.99)) == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong", [{"overlap": 1.0}, {"overlap": -0.1}, {"mode": "tail"}, {"aggregation": "sum"}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 0|unknown"):
        LongTexts(**wrong)  # type: ignore[arg-type]


def logits_of(probabilities: list[list[float]]) -> Tensor:
    # A constant added to a row changes nothing.
    return torch.tensor(probabilities).log() + torch.arange(len(probabilities))[:, None]


# A text of three windows, and one of one.
STARTS = np.array([0, 3, 4])
WINDOWS = logits_of([[0.6, 0.4], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("aggregation", "first"),
    [
        ("mean", [1.4 / 3, 1.6 / 3]),
        ("max", [0.7 / 1.6, 0.9 / 1.6]),
        ("vote", [0.65, 0.35]),  # two of three for the first class
    ],
)
def test_windows_are_aggregated_by_hand(aggregation: Aggregation, first: list[float]) -> None:
    found = aggregate(WINDOWS, STARTS, aggregation)
    assert found.dtype == torch.float32
    assert found.exp()[0].tolist() == pytest.approx(first)
    assert found.exp()[1].tolist() == pytest.approx([0.2, 0.8])
    assert torch.allclose(found.softmax(-1), found.exp())


def test_a_tie_of_votes_goes_to_the_larger_mean() -> None:
    found = aggregate(logits_of([[0.6, 0.4], [0.1, 0.9]]), np.array([0, 2]), "vote")
    assert found.exp()[0].tolist() == pytest.approx([0.1, 0.9])


def test_probabilities_near_zero_stay_finite() -> None:
    sure = torch.tensor([[0.0, 500.0], [0.0, 3000.0]])
    for aggregation in ("mean", "max", "vote"):
        assert aggregate(sure, np.array([0, 2]), aggregation).isfinite().all()  # type: ignore[arg-type]


def test_the_windows_of_a_text_count_as_one_text() -> None:
    # Four windows and two texts: each text counts two windows.
    assert window_weights(STARTS).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
    assert window_weights(np.array([0, 1, 2])).tolist() == [1.0, 1.0]


def corpus() -> TokenCorpus:
    return TokenCorpus(
        np.arange(4, dtype=np.int32), np.arange(5), np.array([0, 0, 0, 1]), 0, STARTS
    )


def test_a_corpus_counts_its_texts_once() -> None:
    assert (len(corpus()), num_texts(corpus())) == (4, 2)
    assert text_labels(corpus()).tolist() == [0, 1]
    batch = corpus().batch(np.array([3, 0]))
    assert batch.weights is not None
    assert batch.weights.tolist() == pytest.approx([2.0, 2 / 3])
    moved = resident(corpus(), torch.device("cpu")).batch(np.array([3, 0])).weights
    assert moved is not None
    assert moved.equal(batch.weights)


class Table(nn.Module):
    """Logits of a text: those of its first token, so that their gradients can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(WINDOWS.clone())

    def forward(self, batch: Batch) -> Tensor:
        return self.logits[batch.token_ids[batch.cu_seqlens[:-1].long()]]


def test_the_gradients_are_those_of_the_weighed_mean() -> None:
    model, batch = Table(), corpus().batch(np.arange(4))
    loss = one_pass(model, cross_entropy(0.0), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    # d loss / d logits is the probability less the label's 1; of each text a half, over windows.
    by_hand = torch.tensor([[-0.4, 0.4], [-0.3, 0.3], [-0.9, 0.9], [0.2, -0.2]])
    share = torch.tensor([[1 / 6], [1 / 6], [1 / 6], [1 / 2]])
    assert model.logits.grad is not None
    assert torch.allclose(model.logits.grad, by_hand * share)
    mean = -sum(math.log(p) for p in (0.6, 0.7, 0.1, 0.8)) / 4
    assert float(loss.detach()) == pytest.approx(mean)  # the value is that of the plain mean
