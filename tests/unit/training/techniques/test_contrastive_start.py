"""The contrastive start: its loss, its batches, and what it does to a classifier."""

from __future__ import annotations

from itertools import islice
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch

from ranklet.classifier import ClassifierNetwork
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.config import EncoderConfig
from ranklet.encoder.families import build_encoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.placement import Placement, place_adapters
from ranklet.training.techniques.contrastive_start import (
    BATCH_TEXTS,
    contrastive_batches,
    start_contrastively,
    supervised_contrastive,
)

CONFIG = EncoderConfig("roberta", 30, 32, 1, 2, 32, 20, 1, 1e-5, 1)
ADAPTED = "roberta.encoder.layer.0.output.dense"
CLASSES = 3


def test_the_loss_is_that_of_the_paper_text_by_text() -> None:
    states = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    labels = [0, 1, 0, 1, 2]  # the last one is alone

    def cosine(first: int, second: int) -> float:
        return float(torch.cosine_similarity(states[first], states[second], dim=0))

    losses = []
    for anchor in range(4):
        others = [other for other in range(5) if other != anchor]
        total = sum(exp(cosine(anchor, other) / 0.3) for other in others)
        partners = [other for other in others if labels[other] == labels[anchor]]
        shares = [exp(cosine(anchor, other) / 0.3) / total for other in partners]
        losses.append(-sum(map(log, shares)) / len(partners))
    loss = supervised_contrastive(0.3)(states, torch.tensor(labels))
    assert float(loss) == pytest.approx(sum(losses) / 4, abs=1e-5)


def test_the_gradient_is_finite_where_a_text_is_alone_or_twice_the_same() -> None:
    states = torch.ones(4, 3, requires_grad=True)
    supervised_contrastive(0.1)(states, torch.tensor([0, 0, 1, 2])).backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()


@pytest.mark.parametrize("classes", [2, 6, 77])
def test_batches_have_two_texts_of_a_label_at_least_and_labels_equally_often(classes: int) -> None:
    labels = np.repeat(np.arange(classes), 40)
    labels = np.concatenate([labels, [classes], np.zeros(500, np.int64)])  # one alone, one frequent
    counts = np.zeros(classes + 1, np.int64)
    cycle = 3 if classes == 77 else 1
    for rows in islice(contrastive_batches(labels, seed=1), 5 * cycle):
        assert len(set(rows.tolist())) == len(rows) <= BATCH_TEXTS
        of_each = np.unique(labels[rows], return_counts=True)[1]
        assert of_each.min() >= 2
        assert len(of_each) >= 2
        counts += np.bincount(labels[rows], minlength=classes + 1)
    assert counts[classes] == 0
    assert set(counts[:classes]) == {counts[0]}


def test_a_label_with_few_texts_brings_them_all_and_none_brings_nothing() -> None:
    rows = next(contrastive_batches(np.array([0, 0, 0, 1, 1, 2]), seed=0))
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 4]
    assert list(contrastive_batches(np.array([0, 1, 2]), seed=0)) == []


def classifier(head: Any = "linear") -> ClassifierNetwork:
    torch.manual_seed(2)
    encoder = build_encoder(CONFIG).requires_grad_(False)
    for table in (m for m in encoder.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    modules = build_head(head, CONFIG, CLASSES, 0.0, seed=0, rank=2)
    pooling = "mean" if head == "linear" else "cls"
    model = ClassifierNetwork(encoder, modules, pooling, LabelSet(("a", "b", "c")))
    place_adapters(model, (Placement(ADAPTED, 4, 8.0),), 0.0, False, 0)
    return model


def corpus(texts: int, seed: int = 0) -> TokenCorpus:
    generator = np.random.default_rng(seed)
    labels = np.arange(texts) % CLASSES
    ids = 3 + (generator.integers(0, 8, (texts, 4)) + 8 * labels[:, None]) % 24
    offsets = np.arange(texts + 1, dtype=np.int64) * 4
    return TokenCorpus(ids.astype(np.int32).ravel(), offsets, labels.astype(np.int64), 0)


def start(model: ClassifierNetwork, texts: TokenCorpus, steps: int = 30, seed: int = 0) -> Any:
    return start_contrastively(
        model, texts, steps=steps, learning_rate=1e-2, weight_decay=0.01, seed=seed
    )


@pytest.mark.parametrize("head", ["linear", "dense"])
def test_other_texts_of_a_label_come_together_and_only_what_trains_below_changes(head: Any) -> None:
    model, others = classifier(head), corpus(60, seed=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def loss() -> float:
        assert others.labels is not None
        features = model.predict_features(others, np.arange(len(others)))
        return float(supervised_contrastive(0.2)(features, torch.from_numpy(others.labels)))

    untrained = loss()
    result = start(model, corpus(120))
    assert loss() < untrained - 0.2
    assert result.steps == 30
    assert result.last_loss < result.first_loss
    trains = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    last = {"classifier.weight", "classifier.bias"}
    last |= {"classifier.out_proj.weight", "classifier.out_proj.bias"}
    changed = {name for name, now in model.state_dict().items() if not now.equal(before[name])}
    assert changed == trains - last


def test_equal_seeds_give_equal_tensors_whatever_was_drawn_before() -> None:
    models = [classifier() for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        start(model, corpus(120), steps=3, seed=seed)
        torch.rand(7)
    first, same, other = (model.state_dict() for model in models)
    assert all(first[name].equal(same[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_labels_of_one_text_each_change_nothing() -> None:
    model, texts = classifier(), corpus(3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert start(model, texts).steps == 0
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
