"""Moving averages and soups: values by hand, and what `fit` leaves in the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ranklet.batch import Batch
from ranklet.training.fit import FitResult, fit
from ranklet.training.optimizer_step import Objective, StepHooks
from ranklet.training.records import Record
from ranklet.training.selection import Selection
from ranklet.training.snapshots import Snapshot, mean_state
from ranklet.training.steps import Step, training_steps
from ranklet.training.techniques.averaging import MovingAverage, greedy_soup


class Number(nn.Module):
    """One number that trains and one that does not."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([start]))
        self.frozen = nn.Parameter(torch.tensor([7.0]), requires_grad=False)

    def forward(self, batch: Batch) -> Tensor:
        return self.value.expand(batch.num_texts, 1)

    def __float__(self) -> float:
        return float(self.value.detach())


def set_value(model: Number, value: float) -> None:
    with torch.no_grad():
        model.value.fill_(value)


def test_a_moving_average_by_hand() -> None:
    model = Number(4.0)
    average = MovingAverage(model, 0.2)
    # The decay of the first step is 2/11, of the second and later ones 0.2.
    expected = 4.0
    for step, (value, decay) in enumerate([(1.0, 2 / 11), (2.0, 0.2), (3.0, 0.2)], start=1):
        set_value(model, value)
        average.update(step)
        expected = decay * expected + (1 - decay) * value
    assert average.tensors.keys() == {"value"}
    assert float(average.tensors["value"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("step", "decay"), [(1, 2 / 11), (10, 11 / 20), (10_000, 0.99)])
def test_the_decay_is_warmed_up(step: int, decay: float) -> None:
    model = Number(1.0)
    average = MovingAverage(model, 0.99)
    set_value(model, 0.0)
    average.update(step)
    assert float(average.tensors["value"]) == pytest.approx(decay, abs=1e-6)


def test_the_model_holds_the_average_for_a_while() -> None:
    model = Number(4.0)
    average = MovingAverage(model, 0.5)
    set_value(model, 1.0)
    with average.in_model():
        assert float(model) == 4.0
    assert float(model) == 1.0
    with pytest.raises(KeyboardInterrupt), average.in_model():
        raise KeyboardInterrupt
    assert float(model) == 1.0


def test_a_moving_average_goes_on_from_its_state() -> None:
    model = Number(4.0)
    average, other = MovingAverage(model, 0.5), MovingAverage(Number(0.0), 0.5)
    set_value(model, 1.0)
    average.update(1)
    other.load_state_dict({name: tensor.clone() for name, tensor in average.state_dict().items()})
    assert torch.equal(other.tensors["value"], average.tensors["value"])


def snapshot(step: int, value: float, accuracy: float) -> Snapshot:
    return Snapshot(step, {"accuracy": accuracy}, {"value": torch.tensor([value])})


def higher(new: Mapping[str, float], old: Mapping[str, float]) -> bool:
    return new["accuracy"] > old["accuracy"]


def peak_at(best: float, model: Number) -> Callable[[], Mapping[str, float]]:
    """Score a model by how near it is to a number."""
    return lambda: {"accuracy": 1 - abs(float(model) - best)}


def test_a_soup_takes_what_makes_it_better_by_hand() -> None:
    model = Number()
    validate = peak_at(2.0, model)
    ranked = [
        snapshot(30, 1.5, 0.5),
        snapshot(20, 3.0, 0.0),
        snapshot(10, 4.0, -1.0),
        snapshot(5, 0.75, -0.25),
    ]
    # 1.5 and 3 give 2.25; with 4 it would be 2.83, worse; with 0.75 it is 1.75, no better.
    metrics, ingredients = greedy_soup(model, ranked, validate, higher)
    assert [moment.step for moment in ingredients] == [30, 20]
    assert metrics == {"accuracy": pytest.approx(0.75)}
    assert float(mean_state(ingredients)["value"]) == 2.25


def test_the_best_stays_alone_where_nothing_makes_it_better() -> None:
    model = Number()
    ranked = [snapshot(30, 2.0, 1.0), snapshot(20, 3.0, 0.0)]
    metrics, ingredients = greedy_soup(model, ranked, peak_at(2.0, model), higher)
    assert ([moment.step for moment in ingredients], metrics) == ([30], {"accuracy": 1.0})


# Each step sets the number to the next of these.
VALUES = [1.0, 3.0, 5.0, 2.2]


def run(
    scores: Callable[[Number], Callable[[], Mapping[str, float]]], **options: Any
) -> tuple[Number, FitResult, list[Record]]:
    """Train by steps of gradient (value - next one) and rate 1."""
    model = Number()
    records: list[Record] = []
    targets = iter(VALUES)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return (logits * (float(model) - next(targets))).mean()

    def load(indices: np.ndarray) -> Batch:
        starts = torch.arange(len(indices) + 1, dtype=torch.int32)
        ones = torch.ones(len(indices), dtype=torch.int64)
        return Batch(ones, starts, 1, ones)

    if (decay := options.pop("decay", None)) is not None:
        options["average"] = MovingAverage(model, decay)
    objective = Objective(loss, torch.optim.SGD([model.value], lr=1.0))
    steps: list[Step] = training_steps([[np.arange(2)]] * len(VALUES), 1, None, None)
    result = fit(
        model, steps, load, objective, Selection(scores(model), **options),
        StepHooks(record=records.append),
    )  # fmt: skip
    return model, result, [record for record in records if record["kind"] == "validation"]


def test_fit_keeps_the_soup_where_it_is_better() -> None:
    model, result, records = run(lambda model: peak_at(2.5, model), soup=4)
    # The best alone is 2.2 (0.7); 3.0, its runner-up, makes it 2.6 (0.9), 1.0 then 2.07 (0.57),
    # 5.0 then 3.4.
    assert float(model) == pytest.approx(2.6)
    assert result.averaged_steps == (4, 2)
    assert (result.best_step, result.steps) == (4, 4)
    assert result.best_metrics == {"accuracy": pytest.approx(0.9)}
    assert len(records) == 5
    assert records[-1]["accuracy"] == result.best_metrics["accuracy"]
    assert records[-1]["step"] == result.best_step


@pytest.mark.parametrize("soup", [1, 2])
def test_fit_keeps_the_best_alone_without_a_better_soup(soup: int) -> None:
    model, result, records = run(lambda model: peak_at(3.0, model), soup=soup)
    assert float(model) == pytest.approx(3.0)
    assert (result.best_step, result.averaged_steps, len(records)) == (2, (), 4)


def test_only_the_best_few_are_kept() -> None:
    _, result, _ = run(lambda model: peak_at(2.5, model), soup=2)
    assert result.averaged_steps == (4, 2)
    alone, *_ = run(lambda model: peak_at(2.5, model), soup=1)
    assert float(alone) == pytest.approx(2.2)


def test_fit_validates_and_keeps_the_moving_average() -> None:
    seen: list[float] = []

    def scores(model: Number) -> Callable[[], Mapping[str, float]]:
        def validate() -> Mapping[str, float]:
            seen.append(float(model))
            return {"accuracy": float(len(seen))}

        return validate

    model, result, _ = run(scores, decay=0.5)
    expected, average = [], 0.0
    for step, value in enumerate(VALUES, start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * value
        expected.append(average)
    assert seen == pytest.approx(expected, abs=1e-5)
    assert float(model) == pytest.approx(expected[-1], abs=1e-5)
    assert (result.best_step, float(model.frozen.detach())) == (4, 7.0)
