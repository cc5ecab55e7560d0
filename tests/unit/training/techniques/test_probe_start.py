"""The probe as a start of the head: what changes, and what it may look at."""

from __future__ import annotations

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
from ranklet.training.techniques import probe_start
from ranklet.training.techniques.probe_start import soften_probe, start_with_probe

CLASSES = 3


CONFIG = EncoderConfig("roberta", 30, 8, 1, 2, 8, 20, 1, 1e-5, 1)


def classifier(head: Any) -> ClassifierNetwork:
    torch.manual_seed(2)
    encoder = build_encoder(CONFIG).requires_grad_(False)
    for table in (m for m in encoder.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    modules = build_head(head, CONFIG, CLASSES, 0.5, seed=0, rank=2)
    return ClassifierNetwork(encoder, modules, "cls", LabelSet(("a", "b", "c")))


def corpus(texts: int) -> TokenCorpus:
    generator = np.random.default_rng(0)
    labels = np.arange(texts) % CLASSES
    ids = 3 + (generator.integers(0, 8, (texts, 4)) + 8 * labels[:, None]) % 24
    offsets = np.arange(texts + 1, dtype=np.int64) * 4
    return TokenCorpus(ids.astype(np.int32).ravel(), offsets, labels.astype(np.int64), 0)


@pytest.mark.parametrize("head", ["dense", "frozen_dense", "low_rank", "linear"])
def test_only_the_last_map_of_any_head_changes_and_the_loss_falls(head: Any) -> None:
    model, texts = classifier(head), corpus(60)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def loss() -> float:
        assert texts.labels is not None
        logits = model.predict_logits(texts)
        return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(texts.labels)))

    untrained = loss()
    model.train()
    start_with_probe(model, texts, seed=0)
    assert model.training
    assert loss() < 0.7 * untrained
    changed = {n for n, t in model.state_dict().items() if not t.equal(before[n])}
    last = "classifier" if head == "linear" else "classifier.out_proj"
    assert changed == {f"{last}.weight", f"{last}.bias"}


def test_it_looks_at_no_more_texts_than_it_says_and_repeats_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_start, "MOST_TEXTS", 20)
    seen: list[int] = []
    texts = corpus(60)
    real = TokenCorpus.batch

    def batch(self: TokenCorpus, indices: Any) -> Any:
        seen.extend(indices.tolist())
        return real(self, indices)

    monkeypatch.setattr(TokenCorpus, "batch", batch)
    maps = [start_with_probe(classifier("linear"), texts, seed) for seed in (1, 1, 2)]
    assert len(seen) == 60
    assert len(set(seen[:20])) == 20
    assert sorted(seen[:20]) == sorted(seen[20:40]) != sorted(seen[40:])
    assert maps[0].weight.equal(maps[1].weight)
    assert not maps[0].weight.equal(maps[2].weight)


@pytest.mark.parametrize("several", [False, True])
def test_a_softened_probe_is_sure_of_nothing_and_knows_how_frequent_labels_are(
    several: bool,
) -> None:
    model, texts = classifier("linear"), corpus(60)
    assert texts.labels is not None
    probe = start_with_probe(model, texts, seed=0)
    sure = model.predict_logits(texts)
    labels = np.eye(CLASSES, dtype=np.int64)[texts.labels] if several else texts.labels
    soften_probe(model, probe, labels)
    soft = model.predict_logits(texts)
    spread = (sure - sure.mean(0)) / 10
    assert (soft - soft.mean(0) - spread).abs().max() < 1e-4
    frequencies = soft.mean(0).sigmoid() if several else soft.mean(0).softmax(-1)
    assert frequencies.tolist() == pytest.approx([1 / CLASSES] * CLASSES, abs=0.02)
