"""The card of an adapter: what it says of each kind of head, decision and data."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.problem import MultiLabel, Problem, SingleLabel
from ranklet.recipe import Recipe, load_recipe
from ranklet.run.model_card import cut_adapter_card, model_card

ONE_LABEL = SingleLabel()


def card(recipe: Recipe, problem: Problem = ONE_LABEL) -> str:
    model = SimpleNamespace(
        labels=LabelSet(("R & D", "sales")),
        problem=problem,
        encoder=SimpleNamespace(config=EncoderSource(recipe.encoder).config),
        pooling=recipe.pooling,
    )
    return model_card(recipe, cast_model(model), ParameterPlan((), 1_000_000), {})


def cast_model(model: object) -> ClassifierNetwork:
    return model  # type: ignore[return-value]


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("quickstart")


def test_labels_and_recipe_stand_there_as_they_are(recipe: Recipe) -> None:
    written = card(recipe)
    assert written.startswith("---\nlibrary_name: peft\nbase_model: sentence-transformers/")
    assert "\nLabels: R & D, sales.\n" in written
    assert "Trained parameters: 0 of a budget of 1,000,000" in written
    assert "from peft import PeftModel" in written
    assert written.endswith("\n```\n")
    assert "temperature" not in written.split("## Recipe")[0]


def test_a_temperature_and_thresholds_are_named(recipe: Recipe) -> None:
    assert "divided by 1.7, a temperature" in card(recipe, SingleLabel(1.7))
    several = card(recipe, MultiLabel((0.1, 0.25)))
    assert "on the validation texts: R & D 0.1000, sales 0.2500.\n" in several
    assert 'num_labels=2, problem_type="multi_label_classification")' in several


def test_a_head_without_a_counterpart_is_said_to_have_none(recipe: Recipe) -> None:
    written = card(recipe.model_copy(update={"head": "linear", "pooling": "mean"}))
    assert "library_name: ranklet" in written
    assert "PEFT refuses it.\n\n## Recipe" in written
    assert "from peft" not in written


def test_a_cut_adapter_says_what_is_left() -> None:
    written = cut_adapter_card("minilm", 38_404, 12_000, 0.98765)
    assert "12,000 of 38,404 trained parameters are left, head included, with\n98.8%" in written
    assert "## Recipe" not in written
