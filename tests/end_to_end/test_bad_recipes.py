"""Every bad recipe, through the command line: a line with its place, the field and a way out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ranklet.recipe.yaml_file import MAX_BYTES

DATA = "data: {train: a.csv}\n"

# (what follows the line `data: {train: a.csv}`, line, field, part of the problem)
BAD_FIELDS = [
    ("budgett: 3", 2, "budgett", "did you mean budget?"),
    ("zzz: 3", 2, "zzz", "allowed: encoder, pooling, head, head_dropout, head_rank"),
    ("rank: 4", 2, "rank", "did you mean adapter.rank?"),
    ("training:\n  epochs: 2\n  learning_rat: 1e-3", 4, "training.learning_rat", "learning_rate?"),
    ("training: {lr: 1e-3}", 2, "training.lr", "unknown key; allowed: epochs, sampling"),
    ("adapter:\n  epochs: 3", 3, "adapter.epochs", "did you mean training.epochs?"),
    ("training: 5", 2, "training", "got 5; allowed: keys under it: epochs"),
    ("training: null", 2, "training", "got null; allowed: keys under it"),
    ("engine: []", 2, "engine", "got []; allowed: keys under it: device"),
    ('budget: "3"', 2, "budget", 'got "3"; allowed: whole number >= 1; remove the quotes'),
    ("budget: true", 2, "budget", "got true; allowed: whole number"),
    ("budget: 1e6", 2, "budget", "got 1000000.0; allowed: whole number"),
    ("budget: 0", 2, "budget", "got 0; allowed: whole number >= 1"),
    ("budget: 1__0", 2, "budget", 'got "1__0"'),
    (f"budget: {'9' * 50}", 2, "budget", "got 1e+50; allowed"),
    ("budget: null", 2, "budget", "got null; allowed: whole number >= 1"),
    ("seed: -1", 2, "seed", "whole number >= 0 and <= 4294967295"),
    ("head_dropout: 1", 2, "head_dropout", "got 1; allowed: number >= 0 and < 1"),
    ("head_dropout: true", 2, "head_dropout", "got true; allowed: number"),
    ("encoder: 7", 2, "encoder", "got 7; allowed: text; quote it"),
    ("encoder: ''", 2, "encoder", 'got ""; allowed: text'),
    ('encoder: "a\\0b"', 2, "encoder", "allowed: text"),
    ('encoder: "\\uD800"', 2, "encoder", "half of a surrogate pair"),
    ('"\\uD800": 1', 2, "", "half of a surrogate pair"),
    ("pooling: max", 2, "pooling", 'got "max"; allowed: one of cls, mean'),
    ("training: {learning_rate: .nan}", 2, "training.learning_rate", "got .nan; allowed: number"),
    ("training: {learning_rate: .inf}", 2, "training.learning_rate", "got .inf; allowed: number"),
    ("training: {learning_rate: -1e999}", 2, "training.learning_rate", "got -.inf"),
    ("training: {learning_rate: 1e-4x}", 2, "training.learning_rate", 'got "1e-4x"'),
    ("training: {learning_rate: [1]}", 2, "training.learning_rate", "got [1]; allowed: number"),
    ("training:\n  epochs:\n    - 3", 3, "training.epochs", "got [3]; allowed: whole number >= 0"),
    ("adapter: {alpha: .inf}", 2, "adapter.alpha", "got .inf; allowed: number > 0"),
    ("adapter: {alpha_pattern: {a: .nan}}", 2, "adapter.alpha_pattern.a", "got .nan"),
    ("training: {max_grad_norm: 0}", 2, "training.max_grad_norm", "number > 0, or null"),
    ("adapter: {use_rslora: yes}", 2, "adapter.use_rslora", 'got "yes"; allowed: true or false'),
    ("adapter: {use_rslora: 1}", 2, "adapter.use_rslora", "got 1; allowed: true or false"),
    ("adapter: {target_modules: query}", 2, "adapter.target_modules", "all-linear, or list of 1"),
    ("adapter: {target_modules: []}", 2, "adapter.target_modules", "got []; allowed: all-linear"),
    ("adapter: {target_modules: [q, q]}", 2, "adapter.target_modules", "lists 'q' twice"),
    ("adapter: {target_modules: [all-linear, q]}", 2, "adapter.target_modules", "stands alone"),
    ("adapter:\n  layers:\n  - 0\n  - -1", 5, "adapter.layers", "got -1; allowed: list of 1"),
    ("adapter: {layers: [0, 0]}", 2, "adapter.layers", "lists 0 twice"),
    ("adapter: {layers: [true]}", 2, "adapter.layers", "got true"),
    ('adapter: {rank_pattern: {"": 4}}', 2, "adapter.rank_pattern.", 'the name ""'),
    ("adapter:\n  rank_pattern:\n    a.b: 0", 4, "adapter.rank_pattern.a.b", "got 0; allowed"),
    ("adapter: {alpha_pattern: [a]}", 2, "adapter.alpha_pattern", "mapping of names to: number"),
    ("training: {batch_size: 4, batch_tokens: 512}", 2, "training.batch_tokens", "keep one"),
    ("training: {warmup_ratio: 0.1, warmup_steps: 0}", 2, "training.warmup_steps", "keep one"),
    ("training: {batch_tokens: 64}", 2, "training.batch_tokens", "data.max_length 128"),
    (
        "training: {max_steps: 5, warmup_steps: 6}",
        2,
        "training.warmup_steps",
        "above max_steps 5; lower it",
    ),
    (
        "training: {epochs: 3, early_stopping_patience: 3}",
        2,
        "training.early_stopping_patience",
        "never reached with 3 epochs",
    ),
    ("head: dense\npooling: mean", 3, "pooling", "mean needs head: linear"),
    ("head: low_rank\npooling: mean", 3, "pooling", "linear; low_rank reads the first token"),
    ("head: lowrank", 2, "head", "one of dense, frozen_dense, low_rank, linear"),
    ("head_rank: 0", 2, "head_rank", "whole number >= 1 and <= 4096"),
    ("1: 2", 2, "1", "unknown key"),
    ("null: 2", 2, "null", "unknown key"),
    ("<<: {seed: 1}", 2, "<<", "unknown key"),
    ('"a\\nb": 2', 2, "a?b", "unknown key"),
    ("seed: 1\nseed: 2", 3, "seed", "given twice, first at r.yaml:2; keep one"),
    ("adapter: {rank: 1, rank: 1}", 2, "adapter.rank", "given twice"),
]

# (the whole `data` section, line, field, part of the problem)
BAD_DATA = [
    ("train: null", 2, "data.train", "got null; allowed: text"),
    ("test: a.csv", 1, "data.train", "missing; say what to train on"),
    ("train: a\n  validation: 0", 3, "data.validation", "number > 0 and < 1, or whole number >= 1"),
    ("train: a\n  validation: 1.0", 3, "data.validation", "got 1.0"),
    ("train: a\n  validation: true", 3, "data.validation", "got true"),
    ("train: a\n  validation: {a: 1}", 3, "data.validation", 'got {"a": 1}'),
    ("train: a\n  text_column: [a, 1]", 3, "data.text_column", "got 1; allowed: text, or list"),
    ("train: a\n  text_column: []", 3, "data.text_column", "got []"),
    ("train: a\n  text_column: [a, label]", 3, "data.label_column", "also a text column"),
    ("train: a\n  label_names: [a]", 3, "data.label_names", "list of 2 or more: text, or null"),
    ("train: a\n  label_names: [a, a]", 3, "data.label_names", "lists 'a' twice"),
    ("train: a\n  label_names: [a, 1]", 3, "data.label_names", "quote it"),
    ("train: a\n  cleaning: html", 3, "data.cleaning", "list of: one of html, ag_news"),
    ("train: a\n  cleaning: [htm]", 3, "data.cleaning", 'got "htm"; allowed: list of: one of'),
    ("train: a\n  min_words: 5\n  max_words: 4", 3, "data.min_words", "above max_words 4"),
    ("train: a.csv\n  test: ./a.csv", 3, "data.test", "the same file as data.train"),
    ("train: a\n  test: b.csv\n  validation: b.csv", 3, "data.test", "as data.validation"),
    ("train: a\n  max_length: 2", 3, "data.max_length", "whole number >= 3 and <= 8192"),
]

SEVERAL = "multi_label_classification"
NOT_SEVERAL = "needs exactly one label a text, not multi_label_classification; "
# (what follows a `data` section with several labels a text, line, field, part of the problem)
BAD_WITH_SEVERAL = [
    (
        "training: {loss: hard_bootstrapping}",
        4,
        "training.loss",
        "set it to cross_entropy or focal",
    ),
    (
        "training: {loss: generalized_cross_entropy}",
        4,
        "training.loss",
        "to cross_entropy or focal",
    ),
    ("training: {r_drop: 1.0}\nhead_dropout: 0.1", 4, "training.r_drop", "leave it out"),
    ("distillation: {teacher: run}", 4, "distillation.teacher", "leave it out"),
    ("adapter: {fit: 1_000, fit_mode: measured}", 4, "adapter.fit_mode", "uniform or by_depth"),
]

# (a whole file, line, field, part of the problem)
BAD_FILES = [
    ("", 1, "", "got null; a recipe is a mapping of fields"),
    ("# only a comment\n", 1, "", "got null; a recipe is a mapping"),
    ("- a\n- b\n", 1, "", 'got ["a", "b"]; a recipe is a mapping'),
    ("just text", 1, "", 'got "just text"; a recipe is a mapping'),
    ("seed: 1\n", 1, "data.train", "missing; say what to train on, such as data"),
    ("data:\n\ttrain: a\n", 2, "", "a tab; YAML is indented with spaces"),
    ("data: {train: a\nseed: 1\n", 2, "", "not valid YAML: expected ',' or '}'"),
    ("data: {train: 'a}\n", 2, "", "not valid YAML: found unexpected end of stream"),
    ("data: a: b\n", 1, "", "not valid YAML: mapping values are not allowed here"),
    (f"{DATA}x: \x07\n", 2, "", "control character U+0007"),
    (f'{DATA}encoder: "\\UFFFFFFFF"\n', 2, "", "not valid YAML"),
    (f"{DATA}---\n{DATA}", 2, "", "a second YAML document"),
    ("data: &d {train: a}\nadapter: *d\n", 2, "adapter", "alias *d; recipes have none"),
    ("a: &a [x]\nb: &b [*a, *a]\n", 2, "b", "alias *a"),
    ("data:\n  train: !!python/object:os.system x\n", 2, "data.train", "tag "),
    ("data: !!map {train: a}\n", 1, "data", "tag "),
    ("? [a]\n: 1\n", 1, "", "a list or mapping as a key"),
    ("[" * 3000, 1, "", "nested more than 16 deep"),
    ("a:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 1400)), 18, "a.a", "nested more than 16"),
    (f"data: [{'1,' * 50_000}]", 1, "", "more than 20000 values"),
]


def write(text: str) -> str:
    """Write a recipe into the working directory; return its name."""
    Path("r.yaml").write_text(text, encoding="utf-8", newline="")
    return "r.yaml"


@pytest.mark.parametrize(
    ("text", "line", "field", "hint"),
    [
        *((DATA + rest, *expected) for rest, *expected in BAD_FIELDS),
        *((f"data:\n  {rest}\n", *expected) for rest, *expected in BAD_DATA),
        (
            "data:\n  train: a\n  problem_type: multi_label",
            3,
            "data.problem_type",
            "multi_label_cla",
        ),
        (
            f"data:\n  train: a\n  problem_type: {SEVERAL}\n  label_names: [a, b|c]",
            4,
            "data.label_names",
            "'b|c' holds |",
        ),
        *(
            (f"data:\n  train: a\n  problem_type: {SEVERAL}\n{rest}\n", at, field, NOT_SEVERAL)
            for rest, at, field, _ in BAD_WITH_SEVERAL
        ),
        *(
            (f"data:\n  train: a\n  problem_type: {SEVERAL}\n{rest}\n", at, field, fix)
            for rest, at, field, fix in BAD_WITH_SEVERAL
        ),
        *BAD_FILES,
    ],
)
def test_bad_recipe_is_one_line_with_field_place_and_hint(
    text: str, line: int, field: str, hint: str, problem_of: Any
) -> None:
    problem = problem_of(f"r.yaml:{line}", field, "recipes", "show", write(text))
    assert hint in problem
    assert "pydantic" not in problem


def test_all_problems_are_reported_together_in_the_order_of_the_lines(problems_of: Any) -> None:
    text = """\
pooling: mean
data:
  train: a.csv
  cleaning: [htm, html, whitespce]
  min_words: 9
  max_words: 3
training:
  epochs: true
  batch_size: 8
  batch_tokens: 512
  lr: 1e-3
adapter:
  rank: 0
  rank: 1
"""
    overrides = ("--set", "engine.device=gpu", "--set", "seed", "--set", "budget=x")
    expected = [
        "r.yaml:1: pooling: ",
        "r.yaml:4: data.cleaning: ",
        "r.yaml:4: data.cleaning: ",
        "r.yaml:5: data.min_words: ",
        "r.yaml:8: training.epochs: ",
        "r.yaml:10: training.batch_tokens: ",
        "r.yaml:11: training.lr: ",
        "r.yaml:13: adapter.rank: ",
        "r.yaml:14: adapter.rank: ",
        "--set seed: ",
        "--set budget=x: budget: ",
        "--set engine.device=gpu: engine.device: ",
    ]
    expected[expected.index("--set seed: ")] += "not an override"
    lines = problems_of("recipes", "show", write(text), *overrides)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    "broken",
    [
        "pooling: mean\nhead: dens",
        "training: {batch_tokens: x, batch_size: 3}",
        "training: {batch_tokens: 64}\ndata: 5",
        "training: {epochs: -1, early_stopping_patience: 3}",
    ],
)
def test_a_broken_field_is_not_blamed_twice(broken: str, problems_of: Any) -> None:
    text = broken if "data" in broken else DATA + broken
    (line,) = problems_of("recipes", "show", write(text))
    assert re.match(r"r\.yaml:\d+: [\w.]+: got ", line)


@pytest.mark.parametrize(
    ("name", "place", "hint"),
    [
        ("latin.yaml", "latin.yaml:2", "byte 0xE9 is not UTF-8"),
        ("large.yaml", "large.yaml", f"more than {MAX_BYTES} bytes"),
        ("folder.yaml", "folder.yaml", "a folder; a recipe is a YAML file"),
        ("none.yaml", "none.yaml", "no such file"),
        ("none.yaml/x", "none.yaml/x", "no such file"),
        ("latin.yaml/x.yml", "latin.yaml/x.yml", "cannot be read: Not a directory"),
        ("a" * 300 + ".yaml", "a" * 199 + "…", "cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    name: str, place: str, hint: str, tmp_path: Path, problem_of: Any
) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"seed: 1\nencoder: caf\xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "folder.yaml").mkdir()
    assert hint in problem_of(place, "", "recipes", "show", name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ag_newz", "no such file or built-in recipe; did you mean ag_news?; built in: ag_news, "),
        ("zzz", "no such file or built-in recipe; built in: ag_news, ag_news_best, "),
        ("", "built in: ag_news, ag_news_best, "),
        ("run_folder", "a folder; a recipe is a file in it, such as run_folder/recipe.yaml"),
    ],
)
def test_unknown_name_lists_the_built_in_recipes(
    name: str, problem: str, tmp_path: Path, problem_of: Any
) -> None:
    (tmp_path / "run_folder").mkdir()
    assert problem in problem_of(name, "", "recipes", "show", name)
