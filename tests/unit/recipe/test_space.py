"""What a search may change: read strictly, refused by name and line, written as it was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe import DataSection, Recipe, load_recipe, recipe_hash, to_yaml
from ranklet.recipe.allowed import field_types
from ranklet.recipe.recipe import contradictions
from ranklet.recipe.space import (
    Choices,
    Parameter,
    Range,
    default_space,
    load_space,
    parse_space,
    space_values,
)
from ranklet.recipe.space_tree import SAME_IN_ALL
from ranklet.recipe.yaml_file import parse_recipe

EVERY_FORM = """
adapter.rank: {values: [2, 4], when: {adapter.target_modules: all-linear}}
training.learning_rate: {log: [1e-4, 3e-3]}
adapter.dropout: {range: [0, 0.3]}
training.epochs: {range: [1, 4]}
head_rank: {log: [1, 64], when: {head: [low_rank, linear]}}
head: [dense, low_rank, linear]
adapter.target_modules: [[query, value], all-linear]
adapter.rank_pattern: [{}, {query: 4}]
training.momentum: [null, 0.5]
adapter.use_dora: [true, false]
"""

# (a line of a space, field, part of the problem)
REFUSED = [
    (
        "training.learning_rat: [1e-3, 1e-4]",
        "training.learning_rat",
        "mean training.learning_rate?",
    ),
    ("trainin.epochs: [1, 2]", "trainin.epochs", "did you mean training?"),
    ("learning_rate: [1e-3, 1e-4]", "learning_rate", "did you mean training.learning_rate?"),
    ("adapter.epochs: [1, 2]", "adapter.epochs", "did you mean training.epochs?"),
    ("adapter.zzz: [1, 2]", "adapter.zzz", "unknown key; allowed: rank, alpha, dropout"),
    ("zzz: [1, 2]", "zzz", "unknown key; allowed: encoder, pooling"),
    ("training.lr: [1e-3, 1e-4]", "training.lr", "unknown key; allowed: epochs"),
    ("'': [1, 2]", "", "unknown key; allowed"),
    ("training.: [1, 2]", "training.", "unknown key; allowed: epochs"),
    ("training: {epochs: [1, 2]}", "training", "a whole section; name fields of it, such as"),
    ("head.dense: [1, 2]", "head.dense", "head has nothing below it; write head"),
    ("adapter.rank.a: [1, 2]", "adapter.rank.a", "adapter.rank has nothing below it"),
    ("adapter.rank_pattern.query: [1, 2]", "adapter.rank_pattern.query", "choices of the whole"),
    ("adapter.rank: 4", "adapter.rank", "got 4; allowed: a list of values, {log: [LOW, HIGH]}"),
    ("adapter.rank: null", "adapter.rank", "got null; allowed: a list of values"),
    ("adapter.rank: {}", "adapter.rank", "needs log, range or values, just one; got none"),
    ("adapter.rank: {log: [1, 2], range: [1, 2]}", "adapter.rank", "got log and range"),
    ("adapter.rank: {lag: [1, 2]}", "adapter.rank.lag", "unknown key; did you mean log?"),
    ("adapter.rank: {query: 2}", "adapter.rank.query", "unknown key; allowed: a list of values"),
    ("adapter.rank: []", "adapter.rank", "no values are nothing to search"),
    ("adapter.rank: [4]", "adapter.rank", "one value is nothing to search; give two or more"),
    ("adapter.rank: {values: 4}", "adapter.rank", "got 4; allowed: a list of values"),
    ("adapter.rank: [4, 8, 4]", "adapter.rank", "lists 4 twice; name each once"),
    ("adapter.alpha: [16, 16.0]", "adapter.alpha", "lists 16.0 twice"),
    ("adapter.rank: [4, 5000]", "adapter.rank", "got 5000; allowed: whole number >= 1 and <= 4096"),
    (
        "adapter.rank: [4, '8']",
        "adapter.rank",
        'got "8"; allowed: whole number >= 1 and <= 4096; r',
    ),
    ("adapter.rank: [4, 8.0]", "adapter.rank", "got 8.0; allowed: whole number"),
    ("adapter.alpha: [4, .nan]", "adapter.alpha", "got .nan; allowed: number > 0"),
    ("adapter.use_dora: [true, 0]", "adapter.use_dora", "got 0; allowed: true or false"),
    ("adapter.target_modules: [all, [q]]", "adapter.target_modules", 'got "all"; allowed: all-lin'),
    ("adapter.target_modules: [[q, q], [q]]", "adapter.target_modules", "lists 'q' twice"),
    ("adapter.dropout: {range: [0, 1]}", "adapter.dropout", "got 1; allowed: number >= 0 and < 1"),
    ("adapter.dropout: {range: [0]}", "adapter.dropout", "got [0]; allowed: range: [LOW, HIGH]"),
    ("adapter.dropout: {range: 0.3}", "adapter.dropout", "got 0.3; allowed: range: [LOW, HIGH]"),
    ("adapter.dropout: {range: [0, true]}", "adapter.dropout", "got true; allowed: number"),
    ("training.momentum: {range: [null, 0.5]}", "training.momentum", "got null; allowed: number"),
    ("adapter.dropout: {range: [0.3, 0.1]}", "adapter.dropout", "got [0.3, 0.1]; the first has"),
    ("adapter.dropout: {range: [0.1, 0.1]}", "adapter.dropout", "the first has to be below"),
    ("adapter.dropout: {log: [0, 0.3]}", "adapter.dropout", "got 0; log goes over numbers > 0"),
    ("adapter.dropout: {log: [-1, 0.3]}", "adapter.dropout", "got -1; log goes over numbers > 0"),
    ("training.epochs: {range: [1, 2.5]}", "training.epochs", "got 2.5; allowed: whole number"),
    (
        "pooling: {range: [1, 2]}",
        "pooling",
        "no number has a range; list some values, allowed: one",
    ),
    ("training.class_weights: {log: [1, 2]}", "training.class_weights", "no number has a log"),
]

TWO = "head: [dense, low_rank]\nadapter.alpha: {range: [1, 2]}\n"
# (what follows `when:` in a field of a space that holds TWO, field below it, part of the problem)
REFUSED_CONDITIONS = [
    ("low_rank", "", 'got "low_rank"; allowed: a mapping of other fields to choices of them'),
    ("{}", "", "got {}; allowed: a mapping"),
    ("{haed: low_rank}", ".haed", "is not in this space; did you mean head?"),
    ("{pooling: mean}", ".pooling", "is not in this space; add it"),
    ("{head: linear}", ".head", 'got "linear"; allowed: its choices "dense", "low_rank"'),
    ("{head: [dense, linear]}", ".head", 'got "linear"; allowed'),
    ("{head: []}", ".head", "got []; allowed: its choices"),
    ("{adapter.alpha: 1}", ".adapter.alpha", "has a range; only a field with choices decides"),
]


def issues_of(space: str, tmp_path: Path) -> tuple[RecipeIssue, ...]:
    file = tmp_path / "space.yaml"
    file.write_text(space, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_space(file)
    return caught.value.issues


def test_every_form_is_read(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(EVERY_FORM)
    space = load_space(tmp_path / "space.yaml")
    by_field = {parameter.field: parameter for parameter in space.parameters}
    assert by_field["training.learning_rate"].domain == Range(1e-4, 3e-3, log=True)
    assert by_field["adapter.dropout"].domain == Range(0.0, 0.3)
    assert by_field["training.epochs"].domain == Range(1, 4, integer=True)
    assert by_field["adapter.target_modules"].domain == Choices((["query", "value"], "all-linear"))
    assert by_field["adapter.rank_pattern"].domain == Choices(({}, {"query": 4}))
    assert by_field["training.momentum"].domain == Choices((None, 0.5))
    assert by_field["adapter.rank"] == Parameter(
        "adapter.rank", Choices((2, 4)), {"adapter.target_modules": ("all-linear",)}
    )
    assert by_field["head_rank"].when == {"head": ("low_rank", "linear")}
    assert parse_space(space_values(space)) == space


def test_what_decides_stands_before_what_it_decides_on() -> None:
    values = {
        "adapter.rank": {"values": [2, 4], "when": {"adapter.bias": "all"}},
        "adapter.bias": {"values": ["none", "all"], "when": {"head": ["dense"]}},
        "head": ["dense", "linear"],
    }
    space = parse_space(values)
    assert [parameter.field for parameter in space.parameters] == [*reversed(values)]


def test_a_list_in_a_condition_is_a_choice_or_several() -> None:
    own = {"adapter.target_modules": [["query"], ["query", "value"], "all-linear"]}
    for given_, expected in [
        (["query", "value"], (["query", "value"],)),
        ([["query"], "all-linear"], (["query"], "all-linear")),
        (["all-linear", ["query"]], (["query"], "all-linear")),
    ]:
        when = {"adapter.target_modules": given_}
        space = parse_space({**own, "adapter.alpha": {"log": [1, 2], "when": when}})
        assert space.parameters[1].when == {"adapter.target_modules": expected}


@pytest.mark.parametrize(("line", "field", "problem"), REFUSED)
def test_what_is_wrong_is_refused_by_its_line(
    line: str, field: str, problem: str, tmp_path: Path
) -> None:
    (issue,) = issues_of(f"# a space\n{line}", tmp_path)
    assert (issue.where, issue.field) == (f"{tmp_path}/space.yaml:2", field)
    assert problem in issue.problem


@pytest.mark.parametrize(("line", "field", "problem"), REFUSED)
def test_a_recipe_says_the_same_of_its_tune(line: str, field: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"data: {{train: a}}\ntune:\n  {line}\nbudgt: 1", "r.yaml")
    first, last = caught.value.issues
    assert (first.where, first.field) == ("r.yaml:3", f"tune.{field}".rstrip(".") or "tune")
    assert problem in first.problem
    assert (last.where, last.field) == ("r.yaml:4", "budgt")


@pytest.mark.parametrize(("condition", "field", "problem"), REFUSED_CONDITIONS)
def test_a_condition_is_a_choice_of_another_field(
    condition: str, field: str, problem: str, tmp_path: Path
) -> None:
    text = f"{TWO}adapter.rank:\n  values: [2, 4]\n  when: {condition}"
    (issue,) = issues_of(text, tmp_path)
    assert (issue.where, issue.field) == (f"{tmp_path}/space.yaml:5", f"adapter.rank.when{field}")
    assert problem in issue.problem


def test_conditions_do_not_go_in_circles(tmp_path: Path) -> None:
    head = "head: {values: [dense, linear], when: {pooling: cls}}"
    (issue,) = issues_of(
        f"{head}\npooling: {{values: [cls, mean], when: {{head: dense}}}}", tmp_path
    )
    assert issue.field in ("head", "pooling")
    assert "its condition leads back to itself: " in issue.problem
    (issue,) = issues_of("head: {values: [dense, linear], when: {head: dense}}", tmp_path)
    assert "head <- head; leave one out" in issue.problem


def test_a_condition_on_a_field_that_is_wrong_is_not_wrong_too(tmp_path: Path) -> None:
    text = "head: [dense, dens]\nhead_rank: {values: [2, 4], when: {head: dense}}"
    (issue,) = issues_of(text, tmp_path)
    assert issue.field == "head"


@pytest.mark.parametrize("field", [*SAME_IN_ALL, "data.train", "data.max_length", "data.nothing"])
def test_what_is_the_same_in_all_trials_says_why(field: str, tmp_path: Path) -> None:
    (issue,) = issues_of(f"{field}: [1, 2]", tmp_path)
    reason = SAME_IN_ALL.get(field, SAME_IN_ALL["data"])
    assert issue.problem == f"is the same in all trials: {reason}"


def test_what_is_the_same_in_all_trials_is_a_field() -> None:
    for field in SAME_IN_ALL:
        model: Any = Recipe
        for name in field.split("."):
            model = field_types(model)[name]


@pytest.mark.parametrize("text", ["", "{}", "5", "[a, b]", "null"])
def test_an_empty_space_is_refused(text: str, tmp_path: Path) -> None:
    (issue,) = issues_of(text, tmp_path)
    assert "a space is a mapping of fields to what they may be, such as" in issue.problem


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no such file; give a space's path$"):
        load_space(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="a folder; a space is a YAML file"):
        load_space(tmp_path)
    first, second = issues_of("head: [a, dense]\nhead: 1", tmp_path)
    assert (first.field, first.problem[:7]) == ("head", 'got "a"')
    assert (second.field, second.problem[:11]) == ("head", "given twice")


def test_all_problems_come_together_in_the_order_of_lines(tmp_path: Path) -> None:
    by_field = {line.partition(":")[0]: line for line, _, _ in REFUSED}
    issues = issues_of("\n".join(by_field.values()), tmp_path)
    lines = [int(issue.where.rpartition(":")[2]) for issue in issues]
    assert lines == [*range(1, len(lines) + 1)]


def test_a_mapping_is_read_like_a_file() -> None:
    with pytest.raises(RecipeError, match=r"^space: adapter\.rank: got 0; allowed: whole number"):
        parse_space({"adapter.rank": [0, 2]})
    assert parse_space({"adapter.rank": (1, 2)}) == parse_space({"adapter.rank": [1, 2]})


def test_a_recipe_holds_its_space_and_gives_it_back() -> None:
    text = "data: {train: a}\ntune: {" + ",".join(EVERY_FORM.strip().splitlines()) + "}"
    recipe = parse_recipe(text)
    assert parse_recipe(to_yaml(recipe)) == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert space_values(parse_space(recipe.tune)) == recipe.tune


def test_a_recipe_without_a_space_has_the_hash_it_had() -> None:
    without = Recipe(data=DataSection(train="a"))
    empty = parse_recipe("data: {train: a}\ntune: {}")
    assert "tune" not in without.model_dump()
    assert "tune" not in to_yaml(empty)
    assert recipe_hash(without) == recipe_hash(empty)
    first, second = (
        Recipe(data=DataSection(train="a"), tune={"adapter.alpha": {"log": ends}})
        for ends in ([1, 2], (1.0, 2.0))
    )
    assert first == second
    assert recipe_hash(first) == recipe_hash(second) != recipe_hash(without)


def test_a_recipe_made_in_python_refuses_a_wrong_space() -> None:
    with pytest.raises(ValidationError, match=r"adapter\.rank: got .*; allowed: whole number"):
        Recipe(data=DataSection(train="a"), tune={"adapter.rank": [object()]})


def default_fields(recipe: Recipe) -> dict[str, Any]:
    return {parameter.field: parameter.domain for parameter in default_space(recipe).parameters}


def read(*overrides: str) -> Recipe:
    return parse_recipe("data: {train: a}", overrides=overrides)


def test_the_built_in_space() -> None:
    assert default_fields(read()) == {
        "training.learning_rate": Range(1e-4, 3e-3, log=True),
        "training.weight_decay": Range(0.0, 0.1),
        "training.epochs": Range(1, 6, integer=True),
        "training.batch_size": Choices((8, 16, 32, 64)),
        "adapter.alpha": Range(4.0, 128.0, log=True),
        "adapter.dropout": Range(0.0, 0.3),
        "adapter.rank": Choices((1, 2, 4, 8, 16, 32, 64)),
        "adapter.target_modules": Choices((["query", "value"], "all-linear")),
        "head_dropout": Range(0.0, 0.3),
    }


@pytest.mark.parametrize(
    ("override", "without"),
    [
        ("adapter.fit=100_000", {"adapter.rank", "adapter.target_modules"}),
        ("adapter.rank_pattern={query: 2}", {"adapter.rank", "adapter.target_modules"}),
        ("adapter.exclude_modules=[layer.0]", {"adapter.rank", "adapter.target_modules"}),
        ("adapter.target_modules=all-linear", {"adapter.target_modules"}),
        ("training.batch_tokens=4096", {"training.batch_size"}),
        ("training.early_stopping_patience=2", set()),
        ("training.soup=2", set()),
        ("budget=1", set()),
    ],
)
def test_the_built_in_space_leaves_out_what_the_recipe_contradicts(
    override: str, without: set[str]
) -> None:
    fields = default_fields(read(override)).keys()
    assert fields == default_fields(read()).keys() - without


def test_the_built_in_space_goes_by_budget_and_length() -> None:
    assert default_fields(read("budget=50_000"))["adapter.rank"] == Choices((1, 2, 4, 8))
    assert default_fields(read("budget=300_000"))["adapter.rank"] == Choices((1, 2, 4, 8, 16, 32))
    patient = read("training.epochs=5", "training.early_stopping_patience=3")
    assert default_fields(patient)["training.epochs"] == Range(4, 10, integer=True)
    souped = read("training.soup=4")
    assert default_fields(souped)["training.epochs"] == Range(2, 6, integer=True)
    probe = read("training.epochs=0", "head_start=probe")
    assert "training.epochs" not in default_fields(probe)
    assert default_fields(read("training.epochs=10000"))["training.epochs"].high == 10_000


def test_learning_rates_of_another_size_stay_near_the_recipe() -> None:
    domain = default_fields(read("training.optimizer=sgd", "training.learning_rate=0.2"))
    assert domain["training.learning_rate"] == Range(0.02, 1.0, log=True)


@settings(max_examples=25)
@given(
    st.floats(1e-8, 1),
    st.integers(1, 4096),
    st.floats(0, 0.99),
    st.integers(1, 10**9),
    st.booleans(),
)
def test_the_built_in_space_is_one_that_could_be_written(
    rate: float, rank: int, dropout: float, budget: int, is_sgd: bool
) -> None:
    recipe = read(
        f"training.learning_rate={rate}",
        f"adapter.rank={rank}",
        f"adapter.dropout={dropout}",
        f"budget={budget}",
        f"training.optimizer={'sgd' if is_sgd else 'adamw'}",
    )
    space = default_space(recipe)
    assert parse_space(space_values(space)) == space
    assert rank in default_fields(recipe)["adapter.rank"]
    assert rate in default_fields(recipe)["training.learning_rate"]
    assert dropout in default_fields(recipe)["adapter.dropout"]


NUMBERS = st.lists(st.floats(1e-6, 0.9), min_size=2, max_size=4, unique=True).map(sorted)
SHARES = (
    NUMBERS.map(lambda ends: {"log": ends[:2]})
    | NUMBERS.map(lambda ends: {"range": ends[:2]})
    | NUMBERS
)


@settings(max_examples=25)
@given(SHARES, SHARES, st.sampled_from(["dense", ["dense", "linear"], ["linear"]]))
def test_a_space_that_is_written_reads_as_the_same(rate: Any, dropout: Any, heads: Any) -> None:
    values = {
        "training.learning_rate": rate,
        "head": ["dense", "linear", "low_rank"],
        "adapter.dropout": {
            **(dropout if isinstance(dropout, dict) else {"values": dropout}),
            "when": {"head": heads},
        },
    }
    space = parse_space(values)
    assert parse_space(space_values(space)) == space
    recipe = Recipe(data=DataSection(train="a"), tune=values)
    assert parse_recipe(to_yaml(recipe)) == recipe


@pytest.mark.parametrize("name", ["quickstart", "ag_news"])
def test_built_in_recipes_have_a_built_in_space(name: str) -> None:
    recipe = load_recipe(name)
    assert len(default_space(recipe).parameters) >= 7
    assert contradictions(recipe) == ()
