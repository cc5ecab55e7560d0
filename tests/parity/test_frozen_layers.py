"""Training that begins above the frozen layers is the training that runs through them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import save, transformers_encoder
from torch import Tensor

from ranklet.cache import sealed_bytes
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, trainable_state
from ranklet.data.tokens.batching import epoch_batches
from ranklet.data.tokens.corpus import Corpus, TokenCorpus
from ranklet.encoder.config import read_config
from ranklet.encoder.weights import load_encoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.placement import place_adapters, resolve_placement
from ranklet.training import frozen_layers
from ranklet.training.fit import fit
from ranklet.training.frozen_layers import (
    StateCorpus,
    cache_states,
    lowest_trained_layer,
    reason_not_to_cache,
    states_bytes,
)
from ranklet.training.losses import cross_entropy
from ranklet.training.optimizer_step import Objective, StepHooks
from ranklet.training.optimizers import build_optimizer
from ranklet.training.records import Record
from ranklet.training.selection import Selection
from ranklet.training.steps import training_steps
from ranklet.vocabulary import HeadKind

GIB = 2**30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers_encoder("roberta"), tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def corpus() -> TokenCorpus:
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, 20, size=64)
    return TokenCorpus(
        token_ids=generator.integers(2, 120, size=lengths.sum()).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=generator.integers(0, 3, size=64),
        truncated=0,
    )


def build(
    folder: Path,
    layers: list[int],
    dtype: torch.dtype = torch.float32,
    seed: int = 5,
    head: HeadKind = "dense",
) -> ClassifierNetwork:
    config = read_config(folder)
    encoder = load_encoder(folder, config, dtype)
    modules = build_head(head, config, 3, 0.0, seed=seed)
    model = ClassifierNetwork(encoder, modules, "cls", LabelSet(("a", "b", "c")))
    shapes = adaptable_shapes(model)
    place_adapters(model, resolve_placement(shapes, "all-linear", 4, 8.0, layers), 0, False, 5)
    return model


def train(model: ClassifierNetwork, corpus: Corpus, steps: int) -> list[Record]:
    """Train for some steps; the learning rate is high enough to move every tensor visibly."""
    records: list[Record] = []
    epochs = [
        epoch_batches(corpus.lengths, batch_size=8, batch_tokens=None, seed=2, epoch=epoch)
        for epoch in range(-(-steps // 8))
    ]
    fit(
        model,
        training_steps(epochs, 1, steps, None),
        corpus.batch,
        Objective(
            cross_entropy(0.0),
            build_optimizer(
                model,
                head=model.head_modules,
                learning_rate=1e-3,
                head_learning_rate=1e-3,
                weight_decay=0.01,
            ),
        ),
        Selection(lambda: {"loss": 0.0}, metric="loss"),
        StepHooks(record=records.append),
    )
    return records


def trained(model: ClassifierNetwork, corpus: Corpus, steps: int = 100) -> dict[str, Tensor]:
    train(model, corpus, steps)
    return trainable_state(model)


def losses(model: ClassifierNetwork, corpus: Corpus) -> np.ndarray:
    return np.array([record["loss"] for record in train(model, corpus, 30) if "texts" in record])


def largest_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Largest difference of any tensor, relative to the tensor's own largest number."""
    return max(
        float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in theirs
    )


def cached(model: ClassifierNetwork, corpus: TokenCorpus, folder: Path) -> StateCorpus:
    first = lowest_trained_layer(model.encoder)
    return cache_states(model.encoder, corpus, first, folder, GIB)


@pytest.mark.parametrize("layers", [[1, 2], [2]])
def test_100_steps_give_the_same_tensors(
    folder: Path, corpus: TokenCorpus, layers: list[int], tmp_path: Path
) -> None:
    plain = trained(build(folder, layers), corpus)
    model = build(folder, layers)
    states = cached(model, corpus, tmp_path)
    assert states.first_layer == layers[0]
    assert largest_difference(trained(model, states), plain) <= 1e-4


@pytest.mark.parametrize("family", ["electra", "distilbert", "modernbert"])
def test_every_native_family_begins_above_its_frozen_layers(
    family: str, corpus: TokenCorpus, tmp_path: Path
) -> None:
    folder = save(transformers_encoder(family), tmp_path / "encoder")
    plain = trained(build(folder, [1, 2]), corpus, 20)
    model = build(folder, [1, 2])
    states = cached(model, corpus, tmp_path / "states")
    assert states.first_layer == 1
    assert largest_difference(trained(model, states, 20), plain) <= 1e-4


def _shuffled(states: StateCorpus) -> StateCorpus:
    return replace(states, states=states.states.flip(0))


def _of_another_layer(states: StateCorpus) -> StateCorpus:
    return replace(states, first_layer=states.first_layer - 1)


@pytest.mark.parametrize("sabotage", [_shuffled, _of_another_layer])
def test_wrong_states_are_noticed(
    folder: Path,
    corpus: TokenCorpus,
    sabotage: Callable[[StateCorpus], StateCorpus],
    tmp_path: Path,
) -> None:
    plain = trained(build(folder, [1, 2]), corpus, 20)
    model = build(folder, [1, 2])
    states = sabotage(cached(model, corpus, tmp_path))
    assert largest_difference(trained(model, states, 20), plain) > 1e-2


@pytest.mark.parametrize("first_only", [False, True])
def test_the_same_batch_gives_the_same_bits(
    folder: Path, corpus: TokenCorpus, first_only: bool
) -> None:
    model = build(folder, [1])
    batch = corpus.batch(np.arange(8))
    above = replace(batch, hidden_states=model.encoder.states_entering(1, batch), first_layer=1)
    assert torch.equal(model.encoder(above, first_only), model.encoder(batch, first_only))


def test_bfloat16_learns_the_same(folder: Path, corpus: TokenCorpus, tmp_path: Path) -> None:
    plain = losses(build(folder, [2], torch.bfloat16), corpus)
    other_seed = losses(build(folder, [2], torch.bfloat16, seed=6), corpus)
    model = build(folder, [2], torch.bfloat16)
    states = cached(model, corpus, tmp_path)
    assert states.states.dtype == torch.bfloat16
    ours = losses(model, states)
    assert np.abs(ours - plain).mean() < 0.5 * np.abs(other_seed - plain).mean()


def test_a_second_run_computes_nothing(
    folder: Path, corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached(build(folder, [1]), corpus, tmp_path)

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_layers, "_fill", refuse)
    again = cached(build(folder, [1, 2]), corpus, tmp_path)
    assert torch.equal(first.states, again.states)


def test_states_that_may_only_be_read_are_used(
    folder: Path, corpus: TokenCorpus, tmp_path: Path
) -> None:
    first = cached(build(folder, [1]), corpus, tmp_path)
    (path,) = tmp_path.iterdir()
    path.chmod(0o400)
    again = cached(build(folder, [1]), corpus, tmp_path)
    again.states[0] = 0.0  # a private copy: the file stays as it is
    assert not torch.equal(first.states, again.states)
    assert torch.equal(cached(build(folder, [1]), corpus, tmp_path).states, first.states)


@pytest.mark.parametrize("change", ["texts", "layer", "weights", "dtype"])
def test_anything_that_changes_the_states_gets_states_of_its_own(
    folder: Path, corpus: TokenCorpus, change: str, tmp_path: Path
) -> None:
    cached(build(folder, [1]), corpus, tmp_path)
    dtype = torch.bfloat16 if change == "dtype" else torch.float32
    model = build(folder, [2 if change == "layer" else 1], dtype)
    if change == "weights":
        with torch.no_grad():
            model.encoder.layers[0].output.dense.bias.add_(1e-3)
    if change == "texts":
        corpus = replace(corpus, token_ids=corpus.token_ids[::-1].copy())
    cached(model, corpus, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["zeros", "cut", "empty", "one state"])
def test_a_damaged_file_is_computed_again(
    folder: Path, corpus: TokenCorpus, damage: str, tmp_path: Path
) -> None:
    good = cached(build(folder, [1]), corpus, tmp_path).states.clone()
    (path,) = tmp_path.iterdir()
    held = path.read_bytes()
    middle = len(held) // 2
    path.write_bytes(
        {
            "zeros": bytes(len(held)),
            "cut": held[:middle],
            "empty": b"",
            "one state": held[:middle] + bytes(64) + held[middle + 64 :],
        }[damage]
    )
    assert torch.equal(cached(build(folder, [1]), corpus, tmp_path).states, good)


def test_an_interruption_leaves_nothing(
    folder: Path, corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(frozen_layers, "_fill", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cached(build(folder, [1]), corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(
    folder: Path, corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        cached(build(folder, [1]), corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_stays_under_its_limit(
    folder: Path, corpus: TokenCorpus, tmp_path: Path
) -> None:
    model = build(folder, [1])
    size = sealed_bytes(states_bytes(model.encoder, [corpus]))
    for seed in range(3):
        ids = np.random.default_rng(seed).permutation(corpus.token_ids)
        cache_states(model.encoder, replace(corpus, token_ids=ids), 1, tmp_path, 2 * size)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 2 * size


def test_what_trains_lowest(folder: Path) -> None:
    model = build(folder, [1, 2])
    assert lowest_trained_layer(model.encoder) == 1
    model.encoder.embeddings.LayerNorm.bias.requires_grad_(True)
    assert lowest_trained_layer(model.encoder) == 0


@pytest.mark.parametrize(
    ("passes", "needed", "expected"),
    [
        (3.0, GIB, None),
        (1.0, GIB, "visited less than twice"),
        (3.0, 3 * GIB, "3.0 GiB are more than engine.cache_limit_gib allows, 2"),
        (3.0, 2 * GIB, None),
    ],
)
def test_when_caching_pays(
    passes: float, needed: int, expected: str | None, tmp_path: Path
) -> None:
    reason = reason_not_to_cache(passes, needed, 2 * GIB, tmp_path)
    assert reason is None if expected is None else expected in str(reason)


def test_no_room_on_the_disk_is_a_reason(tmp_path: Path) -> None:
    reason = reason_not_to_cache(3.0, 2**60, 2**61, tmp_path / "missing" / "folder")
    assert reason is not None
    assert "do not fit on the disk" in reason
