"""The closed-form start: the regression, its choice of penalty, and what it may look at."""

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
from ranklet.training.techniques import ridge_start
from ranklet.training.techniques.ridge_start import ridge_map, start_with_ridge

CLASSES = 3


def separable(texts: int, width: int, noise: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    labels = torch.arange(texts) % CLASSES
    centres = 3.0 + torch.randn(CLASSES, width, generator=generator)
    return centres[labels] + noise * torch.randn(texts, width, generator=generator), labels


def solved(features: torch.Tensor, labels: torch.Tensor, penalty: float, unit: float) -> Any:
    """The textbook's ridge regression with an intercept that is not penalised."""
    states, targets = features.double(), torch.nn.functional.one_hot(labels, CLASSES).double()
    mean, share = states.mean(0), targets.mean(0)
    centred = states - mean
    gram = centred.T @ centred + penalty * unit * torch.eye(states.shape[1]).double()
    weight = torch.linalg.solve(gram, centred.T @ (targets - share))
    return lambda rows: (rows.double() - mean) @ weight + share


def test_it_is_the_ridge_regression_times_a_temperature() -> None:
    features, labels = separable(40, 7)
    start = ridge_map(features, labels, CLASSES)
    centred = features.double() - features.double().mean(0)
    unit = float(torch.linalg.eigvalsh(centred.T @ centred).mean())
    scores = solved(features, labels, start.penalty, unit)(features) * start.scale
    logits = features @ start.weight.T + start.bias
    assert (logits - scores).abs().max() < 1e-4
    # The twin: another penalty is another map.
    other = solved(features, labels, 100 * start.penalty, unit)(features) * start.scale
    assert (logits - other).abs().max() > 1e-2


def test_each_text_is_left_out_exactly() -> None:
    features, labels = separable(24, 5, noise=2.0)
    start = ridge_map(features, labels, CLASSES)
    centred = features.double() - features.double().mean(0)
    unit = float(torch.linalg.eigvalsh(centred.T @ centred).mean())
    rows = []
    for left in range(24):
        others = torch.arange(24) != left
        predict = solved(features[others], labels[others], start.penalty, unit)
        rows.append(predict(features[left]) * start.scale)
    loss = torch.nn.functional.cross_entropy(torch.stack(rows), labels)
    assert float(loss) == pytest.approx(start.loss, abs=1e-9)
    inside = solved(features, labels, start.penalty, unit)(features) * start.scale
    assert float(torch.nn.functional.cross_entropy(inside, labels)) < start.loss - 1e-3


def test_what_says_nothing_gives_no_confidence() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(30, 50, generator=generator)
    start = ridge_map(noise, torch.arange(30) % CLASSES, CLASSES)
    logits = noise @ start.weight.T + start.bias
    assert start.loss < np.log(CLASSES) + 0.05
    assert logits.softmax(-1).max() < 0.6
    informative = ridge_map(*separable(30, 50), CLASSES)
    assert informative.loss < 0.1
    assert informative.scale <= 10.0


@pytest.mark.parametrize("width", [1, 100])
def test_constant_features_and_absent_classes_are_no_trouble(width: int) -> None:
    start = ridge_map(torch.ones(9, width), torch.arange(9) % 2, CLASSES)
    assert start.weight.isfinite().all()
    assert start.bias.isfinite().all()
    assert start.weight.shape == (CLASSES, width)


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
    start_with_ridge(model, texts, seed=0)
    assert model.training
    assert loss() < 0.7 * untrained
    changed = {n for n, t in model.state_dict().items() if not t.equal(before[n])}
    last = "classifier" if head == "linear" else "classifier.out_proj"
    assert changed == {f"{last}.weight", f"{last}.bias"}


def test_it_looks_at_no_more_texts_than_it_says_and_repeats_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ridge_start, "MOST_TEXTS", 20)
    seen: list[int] = []
    texts = corpus(60)
    real = TokenCorpus.batch

    def batch(self: TokenCorpus, indices: Any) -> Any:
        seen.extend(indices.tolist())
        return real(self, indices)

    monkeypatch.setattr(TokenCorpus, "batch", batch)
    maps = [start_with_ridge(classifier("linear"), texts, seed) for seed in (1, 1, 2)]
    assert len(seen) == 60
    assert len(set(seen[:20])) == 20
    assert sorted(seen[:20]) == sorted(seen[20:40]) != sorted(seen[40:])
    assert maps[0].weight.equal(maps[1].weight)
    assert not maps[0].weight.equal(maps[2].weight)
