"""Properties of recipes: a round trip loses nothing, and no text breaks the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe import Recipe, recipe_hash, to_yaml
from ranklet.recipe.recipe import contradictions
from ranklet.recipe.sections.adapter import AdapterSection
from ranklet.recipe.sections.data import DataSection
from ranklet.recipe.sections.engine import EngineSection
from ranklet.recipe.sections.training import TrainingSection
from ranklet.recipe.tree import scalar_of
from ranklet.recipe.yaml_file import parse_recipe

# Words that YAML could take for something else, beside any text at all.
HARD_WORDS = [
    *("null", "~", "true", "No", "1e-4", "1_000", "0x1F", ".nan", "-.inf", "2020-01-01", "12:30"),
    *("<<", "=", "- a", "a: b", "a #b", "#", "*a", "&a", "!a", "%a", "@a", "`a", "'", '"', "\\n"),
    *(" a ", "[a]", "{a}", "a,b", "?", "-", "---", "...", "\u2028a", "\x85a", "\ufeffa", "é", "😀"),
]
texts = st.sampled_from(HARD_WORDS) | st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: re.search(r"[^\s\x00-\x1f]", text))
counts = st.integers(1, 10**9)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
rates = st.floats(min_value=0, max_value=1, exclude_min=True)
shares = st.floats(min_value=0, max_value=1, exclude_max=True) | st.just(-0.0)


def lists(items: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=least, max_size=5, unique=True)


def choice(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


data_sections = st.fixed_dictionaries(
    {"train": texts},
    optional={
        "validation": st.floats(0, 1, exclude_min=True, exclude_max=True) | counts | texts,
        "test": optional(texts),
        "text_column": texts | lists(texts),
        "label_column": texts,
        "label_names": optional(lists(texts, least=2)),
        "max_length": st.integers(3, 8192),
        "cleaning": lists(choice("html", "ag_news", "whitespace"), least=0),
        "min_words": optional(counts),
        "max_words": optional(counts),
        "duplicates": choice("drop", "refuse", "keep"),
    },
)
layer_ranges = st.tuples(st.integers(0, 9), st.none() | st.integers(9, 48)).map(
    lambda ends: f"{ends[0]}-{'' if ends[1] is None else ends[1]}"
)
adapter_sections = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 4096),
        "alpha": positive | counts,
        "dropout": shares,
        "target_modules": st.just("all-linear") | lists(texts),
        "layers": optional(lists(st.integers(0, 48) | layer_ranges) | layer_ranges),
        "exclude_modules": lists(texts, least=0),
        "rank_pattern": st.dictionaries(texts, st.integers(1, 4096), max_size=4),
        "alpha_pattern": st.dictionaries(texts, positive, max_size=4),
        "bias": choice("none", "lora_only", "all"),
        "use_rslora": st.booleans(),
        "use_dora": st.booleans(),
        "init": choice("default", "pissa", "olora", "eva"),
        "train_layer_norm": st.booleans(),
    },
)
training_sections = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 10_000),
        "max_steps": optional(counts),
        "gradient_accumulation_steps": counts,
        "learning_rate": rates,
        "head_learning_rate": optional(rates),
        "loraplus_lr_ratio": st.floats(1, 64),
        "weight_decay": rates,
        "optimizer": choice("adamw", "adam", "sgd", "rmsprop", "adafactor", "muon"),
        "layer_lr_decay": rates,
        "schedule": choice("cosine", "linear", "constant", "one_cycle"),
        "max_grad_norm": optional(positive),
        "class_weights": choice("none", "balanced") | st.dictionaries(texts, positive, max_size=4),
        "label_smoothing": shares,
        "evaluate_every": optional(counts),
        "metric": choice("accuracy", "macro_f1", "loss"),
        "early_stopping_patience": optional(counts),
    },
)
# The two of a pair: neither, either, or one beside a null.
batches = choice(
    {}, {"batch_size": 7}, {"batch_tokens": 9000}, {"batch_size": 7, "batch_tokens": None}
)
warmups = choice({}, {"warmup_ratio": 0.5}, {"warmup_steps": 0}, {"warmup_steps": None})
recipes = st.fixed_dictionaries(
    {"data": data_sections},
    optional={
        "encoder": texts,
        "pooling": choice("cls", "mean"),
        "head": choice("dense", "frozen_dense", "low_rank", "linear"),
        "head_dropout": shares,
        "head_rank": st.integers(1, 4096),
        "head_dense_init": choice("identity", "random"),
        "head_start": choice("random", "probe"),
        "budget": st.integers(1, 10**30),
        "seed": st.integers(0, 2**32 - 1),
        "adapter": adapter_sections,
        "training": st.builds(
            lambda *parts: {**parts[0], **parts[1], **parts[2]}, training_sections, batches, warmups
        ),
        "engine": st.fixed_dictionaries({}, optional={"device": choice("cpu", "cuda")}),
    },
)


# Trees of the right keys and the wrong values.
KEYS = [*Recipe.model_fields, *TrainingSection.model_fields, *AdapterSection.model_fields, "train"]
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-2, 2) | st.text(max_size=3),
    lambda child: (
        st.lists(child, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), child, max_size=6)
    ),
    max_leaves=30,
)
YAML_SIGNS = "\n\t :-[]{},#&*!|>'\"%@`?\\xuU08aé~.<="


def built(tree: dict[str, Any]) -> Recipe:
    """Build the recipe of a tree; its contradictions are not this test's subject."""
    try:
        return Recipe.model_validate(tree)
    except ValueError as error:
        assume("contradiction" not in str(error))
        raise


@given(recipes)
def test_yaml_round_trip_gives_an_equal_recipe_with_an_equal_hash(tree: dict[str, Any]) -> None:
    recipe = built(tree)
    again = parse_recipe(to_yaml(recipe))
    assert again == recipe
    assert (recipe_hash(again), hash(again)) == (recipe_hash(recipe), hash(recipe))
    assert to_yaml(again) == to_yaml(recipe)


@given(recipes)
def test_a_dump_is_a_recipe_again(tree: dict[str, Any]) -> None:
    recipe = built(tree)
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert contradictions(recipe) == ()


CHANGES = [
    *({}, {"seed": 1}, {"seed": 0}, {"adapter": {}}, {"adapter": {"alpha": 16}}),
    *({"head_dropout": 0}, {"head_dropout": -0.0}, {"training": {"batch_size": 32}}),
    *({"training": {"batch_tokens": 9000}}, {"training": {"warmup_steps": 0}}),
    *({"adapter": {"rank_pattern": pattern}} for pattern in ({"a": 1, "b": 2}, {"b": 2, "a": 1})),
]


@given(data_sections, choice(*CHANGES), choice(*CHANGES))
def test_hashes_are_equal_exactly_where_recipes_are(
    data: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = built({"data": data, **one}), built({"data": data, **other})
    assert (first == second) == (recipe_hash(first) == recipe_hash(second))


@given(recipes, st.randoms(use_true_random=False))
def test_neither_key_order_nor_written_defaults_change_a_recipe(
    tree: dict[str, Any], random: Any
) -> None:
    recipe = built(tree)
    fields = list(recipe.model_dump(mode="json").items())
    random.shuffle(fields)
    shuffled = Recipe.model_validate(dict(fields))
    assert shuffled == recipe
    assert recipe_hash(shuffled) == recipe_hash(recipe)


def issues_of(text: str, overrides: Sequence[str] = ()) -> tuple[RecipeIssue, ...] | None:
    """Return the issues of a recipe's text, or None where it is a recipe."""
    try:
        parse_recipe(text, "r.yaml", overrides)
    except RecipeError as error:
        return error.issues
    return None


def assert_read_or_refused_in_lines(text: str, overrides: Sequence[str] = ()) -> None:
    issues = issues_of(text, overrides)
    assert issues is None or issues
    assert all(str(issue).isprintable() for issue in issues or ())


@given(st.text(max_size=200) | st.text(YAML_SIGNS, max_size=40))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    for source in (text, f"data: {{train: a}}\nencoder: {text}", f'encoder: "{text}"'):
        assert_read_or_refused_in_lines(source)


@given(st.text(max_size=40), st.text(max_size=40) | st.text(YAML_SIGNS, max_size=40))
def test_any_override_works_or_is_a_recipe_error(key: str, value: str) -> None:
    overrides = [f"{key}={value}", f"training.{key}={value}", f"adapter.rank_pattern.{key}=1"]
    assert_read_or_refused_in_lines("data: {train: a}", overrides)


@given(trees)
def test_any_tree_of_values_is_a_recipe_or_a_recipe_error(tree: object) -> None:
    assert_read_or_refused_in_lines(json.dumps(tree, allow_nan=False))


@given(st.integers(-(10**30), 10**30))
def test_whole_numbers_read_as_python_writes_them(number: int) -> None:
    assert scalar_of(f"{number}") == scalar_of(f"{number:_}") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_as_python_writes_them(number: float) -> None:
    assert scalar_of(repr(number)) == number


@pytest.mark.parametrize("section", [DataSection, AdapterSection, TrainingSection, EngineSection])
@given(name=st.text(min_size=1, max_size=12))
def test_every_unknown_key_is_refused(section: type, name: str) -> None:
    assume(name not in section.model_fields)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        section.model_validate({"train": "a", name: 1} if section is DataSection else {name: 1})  # type: ignore[attr-defined]
