"""Points of a space: suggested, described to Optuna, read off a recipe and put into it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial, TrialState, create_trial

from ranklet.errors import RecipeError
from ranklet.recipe import DataSection, Recipe
from ranklet.recipe.space import default_space, parse_space
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.search.sampling import distributions, is_in, point_of, suggest, with_point

SPACE = parse_space(
    {
        "adapter.rank": {
            "values": [2, 4, 8],
            "when": {"adapter.target_modules": [["query", "value"]]},
        },
        "training.learning_rate": {"log": [1e-4, 3e-3]},
        "adapter.dropout": {"range": [0, 0.3]},
        "training.epochs": {"range": [1, 4]},
        "head_rank": {"log": [1, 64], "when": {"head": ["low_rank"]}},
        "head": ["dense", "low_rank", "linear"],
        "adapter.target_modules": [["query", "value"], "all-linear"],
        "adapter.rank_pattern": [{}, {"query": 4}],
        "training.head_learning_rate": [None, 1e-3],
    }
)
RECIPE = Recipe(data=DataSection(train="a"))


def study_of(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


@given(st.integers(0, 2**32 - 1))
def test_a_suggested_point_lies_in_the_space_and_in_the_recipe_with_it(seed: int) -> None:
    point = suggest(SPACE, study_of(seed).ask())
    assert is_in(SPACE, point)
    assert point_of(with_point(RECIPE, point), SPACE) == point
    assert ("head_rank" in point) == (point["head"] == "low_rank")
    assert ("adapter.rank" in point) == (point["adapter.target_modules"] == ["query", "value"])


@given(st.integers(0, 2**32 - 1))
def test_optuna_knows_a_point_again_by_its_distributions(seed: int) -> None:
    trial = study_of(seed).ask()
    point = suggest(SPACE, trial)
    described = distributions(SPACE, point)
    assert {name: value for name, (value, _) in described.items()} == trial.params
    assert {name: kind for name, (_, kind) in described.items()} == trial.distributions
    assert suggest(SPACE, FixedTrial(trial.params)) == point


def test_each_domain_has_its_distribution() -> None:
    point = {**point_of(RECIPE, SPACE), "head": "low_rank", "head_rank": 8}
    kinds = {name: kind for name, (_, kind) in distributions(SPACE, point).items()}
    assert kinds["training.learning_rate"] == FloatDistribution(1e-4, 3e-3, log=True)
    assert kinds["adapter.dropout"] == FloatDistribution(0.0, 0.3)
    assert kinds["training.epochs"] == IntDistribution(1, 4)
    assert kinds["head_rank"] == IntDistribution(1, 64, log=True)
    assert kinds["adapter.target_modules"] == CategoricalDistribution(
        ['["query", "value"]', '"all-linear"']
    )
    assert kinds["training.head_learning_rate"] == CategoricalDistribution(["null", "0.001"])


def test_a_sampler_that_looks_at_fields_together_takes_conditions_and_lists() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            seed=1, n_startup_trials=3, multivariate=True, group=True
        )
    study = optuna.create_study(sampler=sampler)
    for _ in range(12):
        point = suggest(SPACE, study.ask())
        described = distributions(SPACE, point)
        assert described
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=point["training.learning_rate"],
                params={name: value for name, (value, _) in described.items()},
                distributions={name: kind for name, (_, kind) in described.items()},
            )
        )


def test_the_point_of_a_recipe_holds_its_active_fields() -> None:
    assert point_of(RECIPE, SPACE) == {
        "training.learning_rate": 5e-4,
        "adapter.dropout": 0.0,
        "training.epochs": 3,
        "head": "dense",
        "adapter.target_modules": ["query", "value"],
        "adapter.rank_pattern": {},
        "training.head_learning_rate": None,
        "adapter.rank": 8,
    }
    assert is_in(SPACE, point_of(RECIPE, SPACE))


def test_a_field_that_another_replaces_is_not_in_the_point() -> None:
    recipe = parse_recipe("data: {train: a}\ntraining: {batch_tokens: 4096}")
    space = parse_space({"training.batch_size": [8, 16], "head": ["dense", "linear"]})
    assert point_of(recipe, space) == {"head": "dense"}
    assert not is_in(space, point_of(recipe, space))
    changed = with_point(recipe, {"training.batch_size": 8})
    assert (changed.training.batch_size, changed.training.batch_tokens) == (8, None)


def test_a_point_outside_the_space_is_not_described() -> None:
    point = point_of(RECIPE, SPACE)
    for change in (
        {"adapter.rank": 3},
        {"training.learning_rate": 1.0},
        {"training.epochs": 2.5},
        {"training.epochs": True},
        {"head": "low_rank"},
        {"head_rank": 4},
        {"adapter.target_modules": "all-linear"},
        {"adapter.target_modules": ["query"]},
        {"unknown": 1},
    ):
        other = {**point, **change}
        assert not is_in(SPACE, other)
        assert distributions(SPACE, other) == {}
    del point["head"]
    assert not is_in(SPACE, point)


def test_without_changes_a_recipe_stays_as_it_is() -> None:
    assert with_point(RECIPE, {}) == RECIPE
    assert with_point(RECIPE, point_of(RECIPE, SPACE)) == RECIPE
    assert point_of(RECIPE, default_space(RECIPE)).keys() == {
        parameter.field for parameter in default_space(RECIPE).parameters
    }


@pytest.mark.parametrize(
    ("text", "point", "problem"),
    [
        ("head: linear", {"pooling": "mean", "head": "dense"}, "pooling: mean needs head: linear"),
        ("adapter: {fit: 5000}", {"adapter.rank": 4}, "adapter.rank: is chosen by adapter.fit"),
        ("", {"adapter.rank": 0}, "adapter.rank: got 0; allowed: whole number >= 1 and <= 4096"),
        ("", {"adapter.ranc": 4}, "adapter.ranc: unknown key; did you mean rank?"),
        ("", {"training.momentum": 0.5}, "training.momentum: adamw does not read it"),
    ],
)
def test_a_point_that_contradicts_is_refused(
    text: str, point: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        with_point(parse_recipe(f"data: {{train: a}}\n{text}"), point)
    assert str(caught.value).startswith(problem)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["", "adapter.fit=50_000", "training.soup=2"]))
def test_every_point_of_the_built_in_space_is_a_recipe(seed: int, override: str) -> None:
    recipe = parse_recipe("data: {train: a}", overrides=[override] if override else [])
    space = default_space(recipe)
    assert is_in(space, point_of(recipe, space))
    point = suggest(space, study_of(seed).ask())
    assert point_of(with_point(recipe, point), space) == point


def test_optuna_is_imported_when_a_point_is_described() -> None:
    code = "import sys, ranklet.search.sampling; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
