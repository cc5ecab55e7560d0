"""Fields that cannot stand together, and options of a training that nothing would read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ranklet.recipe import DataSection, Recipe, TrainingSection
from ranklet.recipe.sections.adapter import AdapterSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import READ_BY

VALUES: dict[str, Any] = {
    "momentum": 0.5,
    "schedule_num_cycles": 3,
    "schedule_power": 0.5,
    "focal_gamma": 1.0,
    "gce_q": 0.5,
    "bootstrap_beta": 0.5,
}


def recipe(**training: Any) -> Recipe:
    return Recipe(data=DataSection(train="a"), training=TrainingSection(**training))


def test_every_option_is_listed_here() -> None:
    assert READ_BY.keys() == VALUES.keys()


@pytest.mark.parametrize("option", READ_BY)
def test_an_option_that_is_not_read_is_refused_by_name(option: str) -> None:
    chooser, readers = READ_BY[option]
    words = f"training.{option}: .* does not read it, only {chooser} {readers[0]}"
    with pytest.raises(ValidationError, match=words):
        recipe(**{option: VALUES[option]})
    for reader in readers:
        assert getattr(recipe(**{option: VALUES[option], chooser: reader}).training, option)


def test_a_soup_of_one_evaluation_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"training\.soup: has one evaluation"):
        recipe(soup=3, epochs=1)
    for fine in (
        {"soup": 1, "epochs": 1},
        {"soup": 3},
        {"soup": 3, "epochs": 1, "evaluate_every": 5},
    ):
        assert recipe(**fine).training.soup


def test_label_smoothing_goes_with_cross_entropy_only() -> None:
    with pytest.raises(ValidationError, match=r"training\.label_smoothing: focal does not read it"):
        recipe(loss="focal", label_smoothing=0.1)
    assert recipe(loss="cross_entropy", label_smoothing=0.1).training.label_smoothing


@pytest.mark.parametrize("option", [{"r_drop": 1.0}, {"dropout_schedule": "curriculum"}])
@pytest.mark.parametrize(
    "dropout",
    [{"head_dropout": 0.1}, {"encoder_dropout": 0.1}, {"adapter": AdapterSection(dropout=0.1)}],
)
def test_what_uses_dropout_needs_dropout(option: dict[str, Any], dropout: dict[str, Any]) -> None:
    data, training = DataSection(train="a"), TrainingSection(**option)
    with pytest.raises(ValidationError, match=r"training\.\w+: .* none is on; set adapter"):
        Recipe(data=data, training=training)
    assert Recipe(data=data, training=training, **dropout).training == training


def test_contradictions_are_refused_in_python_too() -> None:
    with pytest.raises(ValidationError, match="pooling: mean needs head: linear"):
        Recipe(data=DataSection(train="a"), pooling="mean")


@pytest.mark.parametrize(
    "engine", [{"quantization": "nf4"}, {"precision": "float16"}, {"device": "cuda"}]
)
def test_products_in_int8_are_for_dense_weights_on_a_cpu(engine: Any) -> None:
    words = r"engine\.products: int8 needs quantization: none, precision .* and a CPU"
    with pytest.raises(ValidationError, match=words):
        Recipe(data=DataSection(train="a"), engine=EngineSection(products="int8", **engine))
    assert Recipe(data=DataSection(train="a"), engine=EngineSection(**engine)).engine
