"""The rules that choose settings: what each gives, and that what is stated stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ranklet.errors import RecipeError
from ranklet.recipe import Recipe
from ranklet.workflows.from_recipe.choices import (
    ANSWERED_BY,
    RULES,
    choose,
    leaves_validation_open,
    validation_size,
)
from ranklet.workflows.from_recipe.sight import Sight

SEEN = Sight(
    rows=3000,
    classes=4,
    several=False,
    fewest=700,
    most=800,
    tokens=40,
    longest=512,
    hidden_size=384,
    sentence_pooling="mean",
    budget=1_000_000,
    rank=8,
)


def recipe(**stated: Any) -> Recipe:
    data = {"train": "mine.csv"} | stated.pop("data", {})
    return Recipe.model_validate({"automatic": True, "data": data, **stated})


def value(field: str, **changes: Any) -> Any:
    return RULES[field](replace(SEEN, **changes))[0]


def test_every_open_field_of_the_table_is_chosen_with_a_reason_and_written_out() -> None:
    chosen, choices = choose(recipe(), SEEN)
    assert [choice.field for choice in choices] == list(RULES)
    assert all(choice.reason and "\n" not in choice.reason for choice in choices)
    dump = chosen.model_dump()
    for choice in choices:
        section, _, name = choice.field.rpartition(".")
        assert (dump[section] if section else dump)[name] == choice.value
    assert not chosen.automatic
    assert choose(recipe(), SEEN) == (chosen, choices)


@pytest.mark.parametrize("field", RULES)
def test_what_is_stated_stays(field: str) -> None:
    stated: dict[str, Any] = {
        "pooling": "cls",
        "head": "dense",
        "head_start": "random",
        "adapter.target_modules": ["query"],
        "adapter.rank": 2,
        "data.max_length": 17,
        "training.batch_size": 5,
        "training.contrastive_steps": 7,
        "training.epochs": 1,
        "training.learning_rate": 0.007,
        "training.head_learning_rate": 0.008,
        "training.sampling": "balanced",
        "training.metric": "loss",
        "training.evaluate_every": 10,
        "training.refit": False,
    }
    section, _, name = field.rpartition(".")
    own = {name: stated[field]}
    chosen, choices = choose(recipe(**({section: own} if section else own)), SEEN)
    assert field not in [choice.field for choice in choices]
    dump = chosen.model_dump(mode="json")
    assert (dump[section] if section else dump)[name] == stated[field]


def test_what_is_stated_answers_neighbouring_questions() -> None:
    assert set(ANSWERED_BY) <= set(RULES)
    chosen, _ = choose(recipe(training={"batch_tokens": 2048}), SEEN)
    assert chosen.training.batch_tokens == 2048
    chosen, _ = choose(recipe(head="dense"), SEEN)
    assert chosen.pooling == "cls"


def test_a_choice_that_contradicts_what_is_stated_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch_tokens"):
        choose(recipe(training={"batch_tokens": 200}), replace(SEEN, rows=400, tokens=400))


def test_nothing_is_refitted_on_validation_texts_of_their_own() -> None:
    seen = replace(SEEN, own_validation=True)
    assert not choose(recipe(data={"validation": "other.csv"}), seen)[0].training.refit


@pytest.mark.parametrize(
    ("field", "changes", "expected"),
    [
        ("pooling", {}, "mean"),
        ("pooling", {"sentence_pooling": "cls"}, "cls"),
        ("pooling", {"sentence_pooling": None}, "mean"),
        ("adapter.rank", {"rank": 3}, 3),
        ("data.max_length", {"tokens": 64}, 64),
        ("data.max_length", {"tokens": 65}, 128),
        ("data.max_length", {"tokens": 400, "rows": 400}, 512),
        ("data.max_length", {"tokens": 400, "rows": 400, "longest": 300}, 300),
        ("data.max_length", {"tokens": 400, "rows": 700}, 256),
        ("data.max_length", {"tokens": 400, "rows": 100_000}, 128),
        ("training.epochs", {"rows": 3000, "classes": 77}, 7),
        ("training.epochs", {"rows": 100_000}, 3),
        ("training.epochs", {"rows": 20}, 0),
        ("training.epochs", {"rows": 20, "several": True}, 20),
        ("training.contrastive_steps", {"rows": 20}, 30),
        ("training.contrastive_steps", {"rows": 300}, 60),
        ("training.contrastive_steps", {"rows": 300, "several": True}, 0),
        ("training.contrastive_steps", {}, 0),
        ("training.batch_size", {"rows": 100}, 16),
        ("training.learning_rate", {"hidden_size": 768}, 5e-4),
        ("training.sampling", {"fewest": 5, "most": 50}, "square_root"),
        ("training.sampling", {"fewest": 5, "most": 50, "several": True}, "shuffled"),
        ("training.metric", {"fewest": 100, "most": 200}, "macro_f1"),
        ("training.metric", {"several": True}, "macro_f1"),
        ("training.metric", {}, "accuracy"),
        ("training.evaluate_every", {"rows": 3000, "classes": 77}, 7 * 94),
        ("training.evaluate_every", {"rows": 3000, "several": True}, None),
        ("training.evaluate_every", {"rows": 20}, None),
        ("training.evaluate_every", {"rows": 5001}, None),
        ("training.refit", {"rows": 5001}, False),
    ],
)
def test_rules(field: str, changes: dict[str, Any], expected: object) -> None:
    assert value(field, **changes) == expected


@pytest.mark.parametrize(("rows", "taken"), [(100, 20), (3000, 600), (6000, 600), (66_000, 2000)])
def test_validation_takes_a_fifth_of_few_texts_and_less_of_many(rows: int, taken: int) -> None:
    assert round(validation_size(rows) * rows) == taken
    assert leaves_validation_open(recipe())
    assert not leaves_validation_open(recipe(data={"validation": 0.3}))
