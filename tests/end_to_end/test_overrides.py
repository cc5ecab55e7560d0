"""`--set a.b=c` through the command line: the parser of the file, applied before validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ranklet.recipe import Recipe, load_recipe
from ranklet.recipe.yaml_file import parse_recipe

FILE = """\
data:
  train: a.csv
  test: b.csv
adapter:
  rank_pattern: {query: 2, key: 3}
training:
  batch_size: 16
  warmup_ratio: 0.1
"""


Show: TypeAlias = Callable[..., Recipe]


def command(file: str, overrides: tuple[str, ...]) -> list[str]:
    """Write a recipe into the working directory; return how it is shown with overrides."""
    Path("r.yaml").write_text(file, encoding="utf-8")
    return ["recipes", "show", "r.yaml", *(part for each in overrides for part in ("--set", each))]


@pytest.fixture
def show(ranklet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show a recipe with overrides, and read what was printed."""
    monkeypatch.chdir(tmp_path)

    def read_back(file: str, *overrides: str) -> Recipe:
        answer = ranklet(*command(file, overrides))
        assert (answer.returncode, answer.stderr) == (0, "")
        return parse_recipe(answer.stdout)

    return read_back


def value_of(recipe: Recipe, field: str) -> object:
    value: object = recipe
    for name in field.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("encoder=minilm", "encoder", "minilm"),
        ('encoder="\\ud83d\\ude00"', "encoder", "😀"),
        ("encoder='7'", "encoder", "7"),
        ("encoder=a=b", "encoder", "a=b"),
        ("budget=1_000_000", "budget", 1_000_000),
        ("budget=1000000", "budget", 1_000_000),
        ("budget=0x10", "budget", 16),
        ("budget=010", "budget", 10),
        ("budget=0o10", "budget", 8),
        ("training.learning_rate=1e-4", "training.learning_rate", 1e-4),
        ("training.learning_rate=.5", "training.learning_rate", 0.5),
        ("training.learning_rate=1.E-2", "training.learning_rate", 0.01),
        ("adapter.alpha=32", "adapter.alpha", 32.0),
        ("adapter.use_rslora=true", "adapter.use_rslora", True),
        ("adapter.target_modules=all-linear", "adapter.target_modules", "all-linear"),
        ("adapter.target_modules=[query, value]", "adapter.target_modules", ("query", "value")),
        ("adapter.layers=[10, 11]", "adapter.layers", (10, 11)),
        ("data.test=", "data.test", None),
        ("data.test=null", "data.test", None),
        ("data.train=2020-01-01", "data.train", "2020-01-01"),
        ("data.train=C:\\news.csv", "data.train", "C:\\news.csv"),
        ("data.train=no", "data.train", "no"),
        ("data.validation=640", "data.validation", 640),
        ("data.validation=0.2", "data.validation", 0.2),
        ("data.validation=dev.csv", "data.validation", "dev.csv"),
        ("training.max_grad_norm=~", "training.max_grad_norm", None),
        ("adapter.rank_pattern={value: 4}", "adapter.rank_pattern", {"value": 4}),
        ("adapter.rank_pattern={}", "adapter.rank_pattern", {}),
        (
            "adapter.rank_pattern.layer.0.attention=4",
            "adapter.rank_pattern",
            {"query": 2, "key": 3, "layer.0.attention": 4},
        ),
        ("adapter.rank_pattern.query=9", "adapter.rank_pattern", {"query": 9, "key": 3}),
        ("adapter.alpha_pattern.a.b=9", "adapter.alpha_pattern", {"a.b": 9.0}),
        ("training={epochs: 7}", "training.batch_size", 32),
        ("training.batch_size=8", "training.batch_size", 8),
        ("training.batch_tokens=4096", "training.batch_tokens", 4096),
        ("training.batch_tokens=4096", "training.batch_size", 32),
        ("training.batch_tokens=", "training.batch_size", 16),
        ("training.warmup_steps=0", "training.warmup_steps", 0),
        ("training.warmup_steps=0", "training.warmup_ratio", 0.06),
        ("training.warmup_steps=null", "training.warmup_ratio", 0.1),
    ],
)
def test_override_sets_a_field(override: str, field: str, value: object, show: Show) -> None:
    result = value_of(show(FILE, override), field)
    assert result == value
    assert type(result) is type(value)


def test_the_rest_of_the_file_stays_and_the_last_override_wins(show: Show) -> None:
    recipe = show(FILE, "training.epochs=2", "seed=1", "training.epochs=5")
    assert recipe.training.epochs == 5
    assert recipe.training.batch_size == 16
    assert recipe.adapter.rank_pattern == {"query": 2, "key": 3}


def test_an_override_of_the_ordinary_field_takes_its_replacement_out_of_the_file(
    show: Show,
) -> None:
    file = "data: {train: a}\ntraining: {batch_tokens: 4096, warmup_steps: 5}"
    training = show(file, "training.batch_size=4", "training.warmup_ratio=0.2").training
    assert (training.batch_size, training.batch_tokens) == (4, None)
    assert (training.warmup_ratio, training.warmup_steps) == (0.2, None)


def test_overrides_alone_make_a_recipe(show: Show) -> None:
    assert show("{}", "data.train=a.csv").data.train == "a.csv"


def test_an_override_mends_a_wrong_value_of_the_file(show: Show) -> None:
    assert show("data: {train: a}\nseed: x", "seed=3").seed == 3


def test_overrides_reach_a_built_in_recipe(show: Show, ranklet: Any) -> None:
    answer = ranklet("recipes", "show", "quickstart", "--set", "data.test=", "--set", "seed=3")
    expected = load_recipe("quickstart", ["data.test=", "seed=3"])
    assert (parse_recipe(answer.stdout), expected.data.test, expected.seed) == (expected, None, 3)


@pytest.mark.parametrize(
    ("override", "field", "problem"),
    [
        ("seed", "", "write a field, = and a value, such as training.epochs=5"),
        ("=3", "", "write a field"),
        ("", "", "write a field"),
        ("training..epochs=3", "", "write a field"),
        ("training.=3", "", "write a field"),
        ("budget.x=3", "budget.x", "budget has nothing below it; write budget=VALUE, allowed: wh"),
        ("training.epochs.x=3", "training.epochs.x", "training.epochs has nothing below it"),
        ("adapter.target_modules.0=q", "adapter.target_modules.0", "=VALUE, allowed: all-linear"),
        ("trainng.epochs=3", "trainng", "unknown key; did you mean training?"),
        ("training.epoch=3", "training.epoch", "unknown key; did you mean epochs?"),
        ("epochs=3", "epochs", "unknown key; did you mean training.epochs?"),
        ("training=3", "training", "got 3; allowed: keys under it: epochs"),
        ("training.epochs=", "training.epochs", "got null; allowed: whole number >= 0"),
        ("training.epochs='3'", "training.epochs", "remove the quotes"),
        ("training.epochs=1e1", "training.epochs", "got 10.0"),
        ("training.learning_rate=.nan", "training.learning_rate", "got .nan"),
        ("training.learning_rate=1e-4 1e-3", "training.learning_rate", 'got "1e-4 1e-3"'),
        ("adapter.rank_pattern.=4", "adapter.rank_pattern.", 'the name ""'),
        ("adapter.rank_pattern.a.b=0", "adapter.rank_pattern.a.b", "got 0"),
        ("adapter.rank_pattern={a: 1, a: 2}", "adapter.rank_pattern.a", "given twice"),
        ("encoder=[", "encoder", "not valid YAML"),
        ("encoder=!!python/name:os.system x", "encoder", "tag "),
        ("encoder=*x", "encoder", "alias *x"),
        ("encoder={a: b}", "encoder", 'got {"a": "b"}; allowed: text'),
        ("pooling=mean", "pooling", "mean needs head: linear"),
        ("training={batch_size: 1, batch_tokens: 256}", "training.batch_tokens", "keep one"),
    ],
)
def test_bad_override_is_one_line_that_shows_it(
    override: str, field: str, problem: str, problem_of: Any
) -> None:
    shown = problem_of(f"--set {override}", field, *command(FILE, ("seed=1", override)))
    assert problem in shown


@pytest.mark.parametrize(
    ("override", "shown", "problem"),
    [
        ("encoder=" + "[" * 3000, "encoder=" + "[" * 71 + "…", "nested more than 16 deep"),
        ("encoder=a\n---\nb", "encoder=a?---?b", "a second YAML document"),
    ],
)
def test_an_override_is_shown_cut_and_in_one_line(
    override: str, shown: str, problem: str, problem_of: Any
) -> None:
    place = f"--set {shown}"
    assert problem in problem_of(place, "encoder", *command(FILE, ("seed=1", override)))


def test_two_overrides_that_exclude_each_other_are_refused(problems_of: Any) -> None:
    (line,) = problems_of(*command(FILE, ("training.batch_tokens=512", "training.batch_size=8")))
    assert "replaces batch_size, which is set as well" in line


def test_an_override_does_not_hide_a_wrong_section_of_the_file(problem_of: Any) -> None:
    file = "data: {train: a}\ntraining: 5"
    problem_of("r.yaml:2", "training", *command(file, ("training.epochs=3",)))
