"""The card of an adapter: what it says of each kind of head, decision and data."""

from __future__ import annotations

import json
from pathlib import Path
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
CONFIG = {
    "model_type": "bert",
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
}


def card(
    recipe: Recipe, problem: Problem = ONE_LABEL, labels: tuple[str, ...] = ("R & D", "sales")
) -> str:
    model = SimpleNamespace(
        labels=LabelSet(labels),
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
    assert written.startswith('---\nlibrary_name: peft\nbase_model: "sentence-transformers/')
    assert "\nLabels: R & D, sales.\n" in written
    assert "Trained parameters: 0 of a budget of 1,000,000" in written
    assert "from peft import PeftModel" in written
    assert written.endswith("\n```\n")
    assert "temperature" not in written.split("## Recipe")[0]


def test_a_temperature_and_thresholds_are_named(recipe: Recipe) -> None:
    assert "divided by 1.7, a temperature" in card(recipe, SingleLabel(1.7))
    assert "from the largest to the power of 1.5;" in card(recipe, SingleLabel(1.7, 1.5))
    assert "power" not in card(recipe, SingleLabel(1.7)).split("## Recipe")[0]
    several = card(recipe, MultiLabel((0.1, 0.25)))
    assert "on the validation texts: R & D 0.1000, sales 0.2500.\n" in several
    assert 'problem_type="multi_label_classification"' in several


def test_a_head_without_a_counterpart_is_said_to_have_none(recipe: Recipe) -> None:
    written = card(recipe.model_copy(update={"head": "linear", "pooling": "mean"}))
    assert "library_name: ranklet" in written
    assert "PEFT refuses it.\n\n## Recipe" in written
    assert "from peft" not in written


def test_a_cut_adapter_says_what_is_left() -> None:
    written = cut_adapter_card(
        "minilm", ("a", "b"), "single_label_classification", 38_404, 12_000, 0.98765
    )
    assert "12,000 of 38,404 trained parameters are left, head included, with\n98.8%" in written
    assert "## Recipe" not in written
    assert "    1: 'b'," in written


ODD = (
    "yes", "No: 1", "#1", "'a'", '"b"', "null", "- x", "1", "{c}", "a\\b", "[d", "~", "2026-01-01",
    "\x1b[31mred", "\x7f\x85", "line\nbreak", "\u2028", "\ufeffmark", "😀", " space ", "é", "|",
    "</s>",
)  # fmt: skip


def front_matter(written: str, version: tuple[int, int]) -> dict[str, object]:
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    reader.version = version
    _, matter, _ = written.split("---\n", 2)
    read: dict[str, object] = reader.load(f"%YAML {version[0]}.{version[1]}\n---\n{matter}")
    return read


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_the_front_matter_is_yaml_whatever_the_names_are(
    recipe: Recipe, version: tuple[int, int], tmp_path: Path
) -> None:
    odd = tmp_path / "yes: 'no' #1"
    odd.mkdir()
    (odd / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    changed = recipe.model_copy(update={"encoder": str(odd)})
    read = front_matter(card(changed, labels=ODD), version)
    assert read["base_model"] == str(odd)
    assert read["id2label"] == {str(index): name for index, name in enumerate(ODD)}


def test_names_without_quotes_would_be_read_otherwise() -> None:
    plain = "---\n" + "".join(f"{index}: {name}\n" for index, name in enumerate(ODD[:1])) + "---\n"
    assert front_matter(plain, (1, 1)) == {0: True}


def test_label_names_for_other_programs_come_first(recipe: Recipe) -> None:
    written = card(recipe, labels=ODD)
    body = written.split("---\n", 2)[2]
    assert body.startswith("\nPEFT folders hold no label names, so other programs show `LABEL_0`")
    code = body.split("```python\n")[1].split("base = ")[0]
    names: dict[str, dict[int, str]] = {}
    exec(code.split("\n\n")[1], names)
    assert names["id2label"] == dict(enumerate(ODD))
    linear = card(recipe.model_copy(update={"head": "linear", "pooling": "mean"}))
    assert "LABEL_0" not in linear
