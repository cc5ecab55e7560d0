"""Self-training: which texts are taken with which label, and the corpus that they join."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import build_encoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.training.techniques.self_training import surest, with_surest

PROBABILITIES = torch.tensor(
    [[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.45, 0.55], [0.4, 0.6], [0.7, 0.3]]
)


@pytest.mark.parametrize(
    ("share", "rows", "labels"),
    [(0.5, [0, 2, 4], [0, 0, 1]), (0.1, [0, 4], [0, 1]), (1.0, range(6), [0, 0, 0, 1, 1, 0])],
)
def test_the_surest_of_every_label_are_taken(
    share: float, rows: list[int], labels: list[int]
) -> None:
    chosen, given = surest(PROBABILITIES, share)
    assert chosen.tolist() == list(rows)
    assert given.tolist() == labels


def test_of_no_texts_none_are_taken() -> None:
    chosen, given = surest(torch.empty(0, 3), 0.5)
    assert len(chosen) == len(given) == 0


def corpus(words: list[list[int]], labels: list[int] | None) -> TokenCorpus:
    return TokenCorpus(
        np.concatenate([np.array(text, np.int32) for text in words]),
        np.concatenate([[0], np.cumsum([len(text) for text in words])]).astype(np.int64),
        None if labels is None else np.array(labels, np.int64),
        truncated=1,
    )


def test_what_is_taken_follows_the_labelled_texts_token_by_token() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig("roberta", 30, 16, 1, 2, 16, 20, 1, 1e-5, 1))
    for table in (m for m in encoder.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    head = build_head("linear", encoder.config, 2, 0.0, seed=0)
    model = ClassifierNetwork(encoder, head, "mean", LabelSet(("low", "high")))
    low, high = [[5, 6, 7], [6, 5, 8], [7, 7]], [[25, 26], [27, 28, 26, 25], [26, 27]]
    labelled = corpus([*low, *high], [0, 0, 0, 1, 1, 1])
    others = corpus([[8, 6], [28, 27, 27], [5, 7, 6, 8], [25, 25]], None)
    both = with_surest(model, labelled, others, seed=0)
    assert both.labels is not None
    texts = [
        both.token_ids[a:b].tolist() for a, b in zip(both.offsets, both.offsets[1:], strict=False)
    ]
    assert texts[:6] == [*low, *high]
    assert both.labels[:6].tolist() == [0, 0, 0, 1, 1, 1]
    assert len(both) == 8
    for text, label in zip(texts[6:], both.labels[6:], strict=True):
        assert text in [[8, 6], [28, 27, 27], [5, 7, 6, 8], [25, 25]]
        assert label == (max(text) > 20)
    assert labelled.labels is not None
    assert len(labelled) == 6
