"""Optimizers: the first steps of each by hand, their groups, and two of them as one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ranklet.errors import RecipeError
from ranklet.lora.linear import LoRAEmbedding, LoRALinear
from ranklet.training.optimizers import LayerDecay, MuonWithAdamW, build_optimizer
from ranklet.vocabulary import OptimizerName

NAMES: tuple[OptimizerName, ...] = ("adamw", "adam", "sgd", "rmsprop", "adafactor", "muon")
RATE, DECAY = 0.1, 0.2


class Head(nn.Module):
    """One row that trains, as a head."""

    def __init__(self, row: tuple[float, ...] = (3.0, -4.0)) -> None:
        super().__init__()
        self.classifier = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.tensor([row]))


class Adapted(nn.Module):
    """Two levels with adapters and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        self.words = LoRAEmbedding(nn.Embedding(5, 4), 2, 1.0, generator)
        self.layers = nn.ModuleList(
            LoRALinear(nn.Linear(4, 4), 2, 1.0, 0.0, generator) for _ in range(2)
        )
        for module in (self.words, *self.layers):
            module.base_layer.requires_grad_(False)
        self.layers[0].base_layer.bias.requires_grad_(True)
        self.classifier = nn.Linear(4, 2)

    @property
    def levels(self) -> list[nn.Module]:
        return [self.words, *self.layers]


def options(rate: float = RATE, decay: float = DECAY) -> dict[str, Any]:
    return {
        "head": ("classifier",),
        "learning_rate": rate,
        "head_learning_rate": rate,
        "weight_decay": decay,
    }


def take_steps(name: OptimizerName, gradients: list[list[float]], **others: Any) -> list[float]:
    """Return the row (3, -4) after steps with given gradients."""
    model = Head()
    optimizer = build_optimizer(model, name=name, **options(), **others)
    for gradient in gradients:
        model.classifier.weight.grad = torch.tensor([gradient])
        optimizer.step()
    return model.classifier.weight[0].tolist()


# Gradient (1, 2) at (3, -4), rate 0.1, decay 0.2.
FIRST_STEPS: dict[OptimizerName, list[float]] = {
    "adamw": [3 - 0.1 - 0.1 * 0.2 * 3, -4 - 0.1 + 0.1 * 0.2 * 4],
    # The gradient with its decay is (1.6, 1.2); a first step of Adam is its sign.
    "adam": [3 - 0.1, -4 - 0.1],
    "sgd": [3 - 0.1 * 1.6, -4 - 0.1 * 1.2],
    # The mean square starts as 0.01 of the first one.
    "rmsprop": [3 - 0.1 * 1.6 / math.sqrt(0.01 * 1.6**2), -4 - 0.1 * 10],
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_first_step_by_hand(name: OptimizerName) -> None:
    assert take_steps(name, [[1.0, 2.0]]) == pytest.approx(FIRST_STEPS[name], abs=1e-5)


def test_a_first_step_of_adafactor_by_hand() -> None:
    # One row: its mean square is 2.5, that of columns 1 and 4; the factors give the squares back.
    # The rate is a share of the row's root mean square, sqrt(12.5).
    size = math.sqrt(12.5)
    expected = [3 * (1 - RATE * DECAY) - RATE * size, -4 * (1 - RATE * DECAY) - RATE * size]
    assert take_steps("adafactor", [[1.0, 2.0]]) == pytest.approx(expected, abs=1e-5)


def test_momentum_of_sgd_by_hand() -> None:
    # Velocities 1.6, then 0.5 * 1.6 + (1 + 0.2 * 2.84).
    first = 3 - 0.1 * 1.6
    second = first - 0.1 * (0.5 * 1.6 + 1 + 0.2 * first)
    taken = take_steps("sgd", [[1.0, 2.0], [1.0, 2.0]], momentum=0.5)
    assert taken[0] == pytest.approx(second, abs=1e-6)
    default = take_steps("sgd", [[1.0, 2.0], [1.0, 2.0]])
    assert default == take_steps("sgd", [[1.0, 2.0], [1.0, 2.0]], momentum=0.9)


def low_rank(row: list[float]) -> LoRALinear:
    linear = LoRALinear(nn.Linear(2, 2), 1, 1.0, 0.0, torch.Generator())
    linear.base_layer.requires_grad_(False)
    with torch.no_grad():
        linear.lora_A.weight.copy_(torch.tensor([row]))
    return linear


def test_a_step_of_muon_by_hand() -> None:
    model = nn.ModuleDict({"a": low_rank([3.0, -4.0])})
    optimizer = build_optimizer(model, name="muon", **options())
    a, b = model["a"].lora_A.weight, model["a"].lora_B.weight
    a.grad, b.grad = torch.tensor([[6.0, 8.0]]), torch.zeros_like(b)
    optimizer.step()
    # The gradient has one singular value, which five steps of the polynomial bring near 1.
    value = 1.0
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    step = RATE * 0.2 * math.sqrt(2) * value
    expected = [3 * (1 - RATE * DECAY) - step * 0.6, -4 * (1 - RATE * DECAY) - step * 0.8]
    assert a[0].tolist() == pytest.approx(expected, abs=1e-3)  # PyTorch computes it in bfloat16
    assert 0.5 < value < 1.5


def test_muon_trains_matrices_of_adapters_only() -> None:
    model = Adapted()
    optimizer = build_optimizer(model, name="muon", **options())
    assert isinstance(optimizer, MuonWithAdamW)
    muon, adamw = optimizer.parts
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    of = [
        {names[id(tensor)] for group in part.param_groups for tensor in group["params"]}
        for part in (muon, adamw)
    ]
    assert of[0] == {f"layers.{i}.lora_{x}.weight" for i in range(2) for x in "AB"}
    assert of[1] == {
        "words.lora_embedding_A",
        "words.lora_embedding_B",
        "layers.0.base_layer.bias",
        "classifier.weight",
        "classifier.bias",
    }


def test_a_model_without_adapters_trains_by_adamw_alone() -> None:
    taken = take_steps("muon", [[1.0, 2.0]])
    assert taken == pytest.approx(FIRST_STEPS["adamw"], abs=1e-6)


def test_an_old_pytorch_is_told_what_muon_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(RecipeError, match=r"training\.optimizer: muon needs PyTorch 2\.9"):
        build_optimizer(Adapted(), name="muon", **options())


def gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.randn(parameter.shape, generator=generator)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> list[Tensor]:
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (step + 1)
        gradients(model, step)
        optimizer.step()
        optimizer.zero_grad()
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_goes_on_where_it_was(name: OptimizerName) -> None:
    model = Adapted()
    optimizer = build_optimizer(model, name=name, **options())
    train(model, optimizer, range(3))
    weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state = optimizer.state_dict()
    groups_only = {key: [dict(entry) for entry in state[key]] for key in ("param_groups",)}
    tensors = {index: {k: torch.as_tensor(v).clone() for k, v in entry.items()}
            for index, entry in state["state"].items()}  # fmt: skip
    expected = train(model, optimizer, range(3, 6))

    again = Adapted()
    again.load_state_dict(weights)
    other = build_optimizer(again, name=name, **options())
    fresh = train(again, other, range(3, 6))
    assert any(not torch.equal(*pair) for pair in zip(fresh, expected, strict=True))
    again.load_state_dict(weights)
    other.load_state_dict({"state": tensors, **groups_only})
    outcome = train(again, other, range(3, 6))
    assert all(torch.equal(*pair) for pair in zip(outcome, expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_scaled_loss_takes_the_same_step(name: OptimizerName) -> None:
    stepped = []
    for scale in (1.0, 8.0):
        model = Adapted()
        optimizer = build_optimizer(model, name=name, **options())
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.zeros(()))
        gradients(model, 0)
        for parameter in model.parameters():
            parameter.grad = None if parameter.grad is None else parameter.grad * scale
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        stepped.append(model)
    for first, second in zip(*(model.parameters() for model in stepped), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_whose_gradients_overflow_is_left_out(name: OptimizerName) -> None:
    model = Adapted()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = build_optimizer(model, name=name, **options())
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.zeros(()))
    gradients(model, 0)
    model.classifier.bias.grad = torch.full_like(model.classifier.bias, float("inf"))
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_rates_decay_from_the_top_level_down(name: OptimizerName) -> None:
    model = Adapted()
    optimizer = build_optimizer(
        model,
        head=("classifier",),
        learning_rate=0.8,
        head_learning_rate=0.3,
        weight_decay=0.1,
        loraplus_lr_ratio=2.0,
        layer_decay=LayerDecay(model.levels, 0.5),
        name=name,
    )
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    rates_by_name = {key: rates[id(p)] for key, p in model.named_parameters() if p.requires_grad}
    assert rates_by_name == {
        "words.lora_embedding_A": 0.2,
        "words.lora_embedding_B": 0.2,
        "layers.0.base_layer.bias": 0.4,
        "layers.0.lora_A.weight": 0.4,
        "layers.0.lora_B.weight": 0.8,
        "layers.1.lora_A.weight": 0.8,
        "layers.1.lora_B.weight": 1.6,
        "classifier.weight": 0.3,
        "classifier.bias": 0.3,
    }
    # The first group's rate is the one that records show.
    assert optimizer.param_groups[0]["lr"] == 0.8
