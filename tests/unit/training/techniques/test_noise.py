"""Dropout in the encoder and on a schedule, gradient noise: by hand, and where they act."""

from __future__ import annotations

import json
import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.classifier import ClassifierNetwork, adaptable_shapes
from ranklet.encoder.config import read_config
from ranklet.encoder.families import build_encoder
from ranklet.encoder.layers import NativeEncoder
from ranklet.head import build_head
from ranklet.labels import LabelSet
from ranklet.lora.linear import LoRALinear
from ranklet.lora.placement import place_adapters, resolve_placement
from ranklet.training.fit import fit
from ranklet.training.optimizer_step import Objective, StepHooks
from ranklet.training.schedules import dropout_factor
from ranklet.training.selection import Selection
from ranklet.training.steps import training_steps
from ranklet.training.techniques.noise import drop_in_encoder, gradient_noise, scheduled_dropout
from ranklet.vocabulary import DropoutScheduleName

FACTORS: dict[DropoutScheduleName, list[float]] = {
    "constant": [1.0] * 5,
    "linear_increase": [0.0, 0.25, 0.5, 0.75, 1.0],
    "linear_decrease": [1.0, 0.75, 0.5, 0.25, 0.0],
    "curriculum": [1 - math.exp(-2 * step) for step in range(5)],
}


@pytest.mark.parametrize("schedule", FACTORS)
def test_dropout_schedules_by_hand(schedule: DropoutScheduleName) -> None:
    factor = partial(dropout_factor, schedule=schedule, total_steps=5)
    assert [factor(step) for step in range(1, 6)] == pytest.approx(FACTORS[schedule])
    assert 0 <= dropout_factor(1, schedule=schedule, total_steps=1) <= 1


def write_config(folder: Path, model_type: str) -> Path:
    sizes: dict[str, Any] = {
        "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
        "intermediate_size": 12, "max_position_embeddings": 20, "pad_token_id": 0,
    }  # fmt: skip
    extra: dict[str, dict[str, Any]] = {
        "bert": {"type_vocab_size": 2},
        "distilbert": {"dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 12},
        "modernbert": {
            "local_attention": 8, "global_attn_every_n_layers": 3, "norm_eps": 1e-5,
            "global_rope_theta": 1e4, "local_rope_theta": 1e4,
        },
    }  # fmt: skip
    fields = {"model_type": model_type, "layer_norm_eps": 1e-6, **sizes, **extra[model_type]}
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


@pytest.fixture(params=["bert", "distilbert", "modernbert"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> ClassifierNetwork:
    """A random encoder of three layers, the upper two adapted, each kind of dropout on."""
    torch.manual_seed(0)
    config = read_config(write_config(tmp_path, request.param))
    encoder = build_encoder(config)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    encoder.requires_grad_(False)
    head = build_head("linear", config, 2, 0.4, seed=1)
    classifier = ClassifierNetwork(encoder, head, "mean", LabelSet(("a", "b")))
    shapes = adaptable_shapes(classifier)
    placements = resolve_placement(shapes, "all-linear", 2, 4.0, [1, 2])
    place_adapters(classifier, placements, 0.2, False, 5)
    return classifier


def batch() -> Batch:
    starts = torch.tensor([0, 4, 9], dtype=torch.int32)
    return Batch(torch.arange(9) + 3, starts, 5, torch.tensor([0, 1]))


def native(model: ClassifierNetwork) -> NativeEncoder:
    assert isinstance(model.encoder, NativeEncoder)
    return model.encoder


def test_encoder_dropout_acts_from_the_first_trained_layer_up(model: ClassifierNetwork) -> None:
    assert drop_in_encoder(native(model), 0.5) == 1
    set_dropouts(model, LoRALinear, 0.0)
    encoder = native(model).train()
    below = [encoder.states_entering(1, batch()) for _ in range(2)]
    assert torch.equal(*below)
    above = [encoder.states_entering(2, batch()) for _ in range(2)]
    assert not torch.allclose(*above)
    encoder.eval()
    assert torch.equal(*[encoder(batch()) for _ in range(2)])


def set_dropouts(model: nn.Module, kind: type, share: float) -> None:
    for part in model.modules():
        if isinstance(part, kind):
            part.dropout = share  # type: ignore[assignment]


def test_a_layer_that_drops_all_it_adds_passes_its_states_on(model: ClassifierNetwork) -> None:
    encoder = native(model)
    drop_in_encoder(encoder, 1.0)
    layer: Any = encoder.train().layers[2]
    states = encoder.states_entering(2, batch())
    expected = {
        "bert": lambda: layer.output.LayerNorm(layer.attention.output.LayerNorm(states)),
        "distilbert": lambda: layer.output_layer_norm(layer.sa_layer_norm(states)),
        "modernbert": lambda: states,
    }[encoder.config.model_type]()
    assert torch.allclose(encoder.states_entering(3, batch()), expected, atol=1e-6)
    encoder.eval()
    assert not torch.allclose(encoder.states_entering(3, batch()), expected, atol=1e-2)


def test_every_dropout_follows_the_schedule(model: ClassifierNetwork) -> None:
    drop_in_encoder(native(model), 0.6)
    set_dropout = scheduled_dropout(model, lambda step: {1: 0.5, 2: 0.0, 3: 1.0}[step])

    def dropouts() -> set[float]:
        parts = [
            part for part in model.modules() if isinstance(getattr(part, "dropout", None), float)
        ]
        return {round(float(part.dropout), 6) for part in parts}  # type: ignore[arg-type]

    for step, expected in {1: {0.1, 0.2, 0.3}, 2: {0.0}, 3: {0.2, 0.4, 0.6}}.items():
        set_dropout(step)
        assert dropouts() - {0.0} == expected - {0.0}
        model.train()
        first, second = model(batch()), model(batch())
        assert torch.equal(first, second) == (step == 2)


class Zeros(nn.Module):
    """Logits without a gradient of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(50_000))

    def forward(self, batch: Batch) -> Tensor:
        return (self.value * 0).sum().expand(batch.num_texts, 2)


def take(model: Zeros, seed: int, steps: int, eta: float = 0.3) -> list[Tensor]:
    """Return the noise of each step; no gradient of the loss and rate 1 leave nothing else."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    seen = [model.value.detach().clone()]

    def validate() -> dict[str, float]:
        seen.append(model.value.detach().clone())
        return {"accuracy": 0.0}

    def load(indices: np.ndarray) -> Batch:
        starts = torch.arange(len(indices) + 1, dtype=torch.int32)
        return Batch(torch.ones(len(indices), dtype=torch.int64), starts, 1, torch.zeros(2).long())

    fit(
        model, training_steps([[np.arange(2)]] * steps, 1, None, None), load,
        Objective(nn.functional.cross_entropy, optimizer, max_grad_norm=1e-3),
        Selection(validate), StepHooks(change_gradients=gradient_noise(optimizer, eta, seed)),
    )  # fmt: skip
    return [before - after for before, after in pairwise(seen)]


def test_gradient_noise_has_the_variance_of_the_paper() -> None:
    noise = take(Zeros(), seed=0, steps=3)
    for step, drawn in enumerate(noise):
        assert float(drawn.var()) == pytest.approx(0.3 / (1 + step) ** 0.55, rel=0.03)
        assert float(drawn.mean()) == pytest.approx(0.0, abs=0.02)
    correlation = torch.corrcoef(torch.stack(noise))
    assert correlation[0, 1].abs() < 0.02


def test_gradient_noise_depends_on_seed_and_step_alone() -> None:
    first, again, other = take(Zeros(), 0, 2), take(Zeros(), 0, 3), take(Zeros(), 1, 2)
    assert torch.allclose(first[1], again[1], atol=1e-6)
    assert not torch.allclose(first[1], other[1], atol=1e-2)
    state = torch.get_rng_state()
    take(Zeros(), 0, 1)
    assert torch.equal(torch.get_rng_state(), state)


def test_fit_tells_each_step_before_its_first_batch() -> None:
    heard: list[tuple[str, int]] = []
    model = Zeros()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def load(indices: np.ndarray) -> Batch:
        heard.append(("batch", len(indices)))
        starts = torch.arange(len(indices) + 1, dtype=torch.int32)
        labels = torch.zeros(len(indices), dtype=torch.int64)
        return Batch(labels + 1, starts, 1, labels)

    fit(
        model, training_steps([[np.arange(2), np.arange(1)]] * 2, 2, None, None), load,
        Objective(nn.functional.cross_entropy, optimizer), Selection(lambda: {"accuracy": 0.0}),
        StepHooks(
            before_step=lambda step: heard.append(("step", step)),
            change_gradients=lambda step: heard.append(("gradients", step)),
        ),
    )  # fmt: skip
    of_a_step = [("batch", 2), ("batch", 1)]
    assert heard == [
        *(("step", 1), *of_a_step, ("gradients", 1)),
        *(("step", 2), *of_a_step, ("gradients", 2)),
    ]
