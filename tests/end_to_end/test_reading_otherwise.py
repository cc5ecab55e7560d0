"""Other verbs read a file otherwise than the run did, by the settings of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROWS = [("the goal", "Sports"), ("the treaty", "World"), ("the \u00e9quipe", "Sports")]
SETTINGS = "--set data.separator=semicolon --set data.encoding=cp1252 --set data.columns=[x,y]"
COLUMNS = "--text x --label y"


@pytest.fixture
def odd(workplace: Path) -> None:
    content = "".join(f"{text};{label}\n" for text, label in ROWS)
    (workplace / "odd.csv").write_bytes(content.encode("cp1252"))


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    "command",
    [
        f"evaluate run --data odd.csv {COLUMNS}",
        f"stress run --data odd.csv --kinds upper {COLUMNS}",
        f"shrink run --budget 200 --out small --data odd.csv {COLUMNS}",
        "predict run odd.csv --output answers.csv --text x",
        f"audit odd.csv --label-views none {COLUMNS}",
    ],
)
def test_a_verb_reads_what_its_run_would_not(command: str, ranklet: Any) -> None:
    assert ranklet(*command.split()).returncode == 2
    answer = ranklet(*command.split(), *SETTINGS.split())
    assert answer.returncode == 0, answer.stderr


def test_a_setting_replaces_one_of_the_run_and_leaves_the_others(
    workplace: Path, ranklet: Any, trains: Any
) -> None:
    content = "".join(f"{text} {row};{label}\n" for row in range(4) for text, label in ROWS[:2])
    (workplace / "a.csv").write_text(content)
    trains("a.csv", given=["--out mine", "data.columns=[text, label]"])
    (workplace / "b.csv").write_bytes("the \u00e9quipe;Sports\n".encode("cp1252"))
    command = ["evaluate", "mine", "--data", "b.csv"]
    assert "data.encoding=cp1252" in ranklet(*command).stderr
    assert ranklet(*command, "--set", "data.encoding=cp1252").returncode == 0
    (workplace / "c.csv").write_text("text;label\nthe goal;Sports\n")
    assert ranklet("evaluate", "mine", "--data", "c.csv").returncode == 2
    again = ranklet("evaluate", "mine", "--data", "c.csv", "--set", "data.columns=null")
    assert "1 texts" in again.stdout


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("training.epochs=3", "training.epochs: cannot be set here; allowed: data.text_column"),
        ("data.train=a.csv", "data.train: cannot be set here"),
        ("data.encoding=nothing", "data.encoding: no encoding is called 'nothing'"),
        ("data.separator=ab", 'data.separator: got "ab"; allowed: comma, semicolon, tab, bar'),
        ("data.encodin=utf-8", "data.encodin: cannot be set here"),
    ],
)
def test_other_fields_are_refused(setting: str, problem: str, ranklet: Any) -> None:
    answer = ranklet("evaluate", "run", "--data", "odd.csv", "--set", setting)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert problem in answer.stderr


def test_names_mean_the_same_integers_in_other_data(
    workplace: Path, ranklet: Any, trains: Any
) -> None:
    rows = "".join(f"the goal {row},{row % 2 + 1}\n" for row in range(8))
    (workplace / "a.csv").write_text("text,label\n" + rows)
    trains("a.csv", given=["--out mine", "data.label_names=[bad, good]"])
    assert "label_values: [1, 2]" in (workplace / "mine/recipe.yaml").read_text()
    (workplace / "b.csv").write_text("text,label\nthe goal,1\nthe team,1\n")
    answer = ranklet("evaluate", "mine", "--data", "b.csv", "--json")
    assert answer.returncode == 0, answer.stderr
    (workplace / "c.csv").write_text("text,label\nthe goal,bad\nthe team,bad\n")
    assert ranklet("evaluate", "mine", "--data", "c.csv", "--json").stdout == answer.stdout.replace(
        "b.csv", "c.csv"
    )
    (workplace / "d.csv").write_text("text,label\nthe goal,0\n")
    assert "an integer out of 1, 2" in ranklet("evaluate", "mine", "--data", "d.csv").stderr
