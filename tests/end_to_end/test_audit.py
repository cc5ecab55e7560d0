"""ranklet audit, from the command line."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import ranklet as package

LONG = "the minister signed the new border treaty in the capital on {} after long talks"
TRAIN = [
    ("1", LONG.format("Monday"), "World"),
    ("2", LONG.format("Monday"), "Sports"),
    ("3", LONG.format("Friday"), "World"),
    ("4", "cafÃ© owners &lt;b&gt;protest&lt;/b&gt; in the capital", "World"),
    ("5", "...", "World"),
    ("6", "the striker scored twice as the league leaders won away again", "Sports"),
]
TEST = [("1", "The striker scored twice as the league leaders won away", "Sports")]


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "train.csv", TRAIN, ("id", "text", "label"))
    write(tmp_path / "test.csv", TEST, ("id", "text", "label"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_is_found_and_the_copy_is_clean(folder: Path, ranklet: Callable) -> None:
    options = ("--label-views", "none", "--fix", "clean.csv", "--out", "found")
    before = (folder / "train.csv").read_bytes()
    answer = ranklet("audit", "train.csv", "--test", "test.csv", *options)
    assert answer.returncode == 0, answer.stderr
    assert "within train 1 exact, 1 near" in answer.stdout
    assert "1 of 1 test texts (100.00%) have a copy in train (0 exact, 1 near)" in answer.stdout
    assert (folder / "train.csv").read_bytes() == before
    assert [(row["id"], row["text"], row["label"]) for row in read(folder / "clean.csv")] == [
        TRAIN[0],
        TRAIN[2],
        ("4", "café owners protest in the capital", "World"),
    ]
    changes = [
        (row["line"], row["change"], row["why"]) for row in read(folder / "clean.changes.csv")
    ]
    assert changes == [
        ("3", "dropped", "exact duplicate of line 2"),
        ("5", "repaired", "mojibake, html"),
        ("6", "dropped", "empty text"),
        ("7", "dropped", "near copy of a test text"),
    ]
    findings = [
        (row["kind"], row["line"], row["other"]) for row in read(folder / "found/findings.csv")
    ]
    assert findings == [
        ("exact duplicate", "3", "train.csv:2"),
        ("near duplicate", "4", "train.csv:2"),
        ("near copy of test", "7", "test.csv:2"),
        ("mojibake", "5", ""),
        ("html", "5", ""),
        ("empty", "6", ""),
    ]
    summary = json.loads((folder / "found/audit.json").read_text(encoding="utf-8"))
    assert summary["duplicates"] == {"exact": 1, "near": 1, "conflicting": 1}
    assert summary["splits"][0]["oddities"] == {"mojibake": 1, "html": 1, "empty": 1}


def test_near_duplicates_are_dropped_when_asked(folder: Path, ranklet: Callable) -> None:
    answer = ranklet(
        "audit", "train.csv", "--label-views", "none", "--fix", "c.csv", "--drop-near-duplicates"
    )
    assert answer.returncode == 0, answer.stderr
    assert [row["id"] for row in read(folder / "c.csv")] == ["1", "4", "6"]


def test_exit_code_1_only_when_asked(folder: Path, ranklet: Callable) -> None:
    plain = ("audit", "train.csv", "--test", "test.csv", "--label-views", "none")
    assert ranklet(*plain, "--fail-on", "label-errors").returncode == 0
    assert ranklet(*plain, "--fail-on", "label-errors", "--fail-on", "leakage").returncode == 1


@pytest.fixture
def labelled(folder: Path) -> Path:
    words = (["goal", "match", "coach"], ["treaty", "border", "envoy"])
    rows = [
        (f"{words[row % 2][row % 3]} {words[row % 2][row // 2 % 3]} number {row}", str(row % 2))
        for row in range(240)
    ]
    rows[10] = (rows[10][0], "1")
    write(folder / "labelled.csv", rows, ("text", "label"))
    return folder


@pytest.mark.parametrize(("policy", "lines"), [("keep", 240), ("drop", 239), ("relabel", 240)])
def test_label_errors_change_only_when_asked(
    labelled: Path, ranklet: Callable, policy: str, lines: int
) -> None:
    names = ("--label-names", "Sports,World")
    fix = ("--fix", "fixed.csv", "--label-errors", policy)
    answer = ranklet("audit", "labelled.csv", "--json", "--label-views", "words", *names, *fix)
    assert answer.returncode == 0, answer.stderr
    check = json.loads(answer.stdout)["label_check"]
    assert check["likely_wrong"] == 1
    assert check["confusions"] == [{"given": "World", "suggested": "Sports", "rows": 1}]
    rows = read(labelled / "fixed.csv")
    assert len(rows) == lines
    # The file writes integers, and so does its copy.
    kept = [row["label"] for row in rows if row["text"].endswith("number 10")]
    assert kept == {"keep": ["1"], "drop": [], "relabel": ["0"]}[policy]


@pytest.fixture
def sets(folder: Path) -> Path:
    words = {"sport": "goal match coach", "state": "treaty border envoy", "trade": "shares bank"}
    draw = random.Random(0)
    rows = []
    for row in range(300):
        names = sorted(draw.sample(sorted(words), draw.randint(1, 2)))
        said = [draw.choice(words[name].split()) for name in names for _ in range(3)]
        rows.append((f"{' '.join(said)} number {row}", "|".join(names)))
    rows[7] = ("goal match coach treaty border envoy treaty", "sport")
    write(folder / "sets.csv", rows, ("text", "label"))
    return folder


SEPARATED = ("--label-views", "words", "--set", 'data.label_separator="|"')


def test_a_missing_label_of_several_is_found(sets: Path, ranklet: Callable) -> None:
    answer = ranklet("audit", "sets.csv", *SEPARATED, "--out", "found")
    assert answer.returncode == 0, answer.stderr
    assert "1 of without state are likely state" in answer.stdout
    (row,) = [row for row in read(sets / "found/findings.csv") if row["kind"] == "label error"]
    assert (row["line"], row["detail"]) == ("9", "sport, likely sport|state")


def test_several_labels_are_not_relabelled(
    sets: Path, problems_of: Callable[..., list[str]]
) -> None:
    fix = ("--fix", "fixed.csv", "--label-errors", "relabel")
    (line,) = problems_of("audit", "sets.csv", *SEPARATED, *fix)
    assert "several labels a text cannot be relabelled; keep or drop" in line
    assert not (sets / "fixed.csv").exists()


def test_a_run_lends_its_encoder(workplace: Path, ranklet: Callable) -> None:
    answer = ranklet("audit", "train.csv", "--test", "test.csv", "--run", "run", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["tokenizer"] == "./encoder"
    assert found["max_length"] == 16
    views = list(found["label_check"]["views"])
    assert views == ["words", "./encoder", "neighbours in ./encoder"]


def test_texts_without_labels(folder: Path, ranklet: Callable) -> None:
    (folder / "texts.txt").write_text("one two three four\none, two three FOUR\n", encoding="utf-8")
    for arguments in (["texts.txt"], ["train.csv", "--label-column", ""]):
        answer = ranklet("audit", *arguments)
        assert answer.returncode == 0, answer.stderr
        assert "labels      not judged" in answer.stdout
        assert "within train 1 exact" in answer.stdout


def test_from_python(folder: Path) -> None:
    found = package.audit("train.csv", "test.csv", label_views="none")
    assert isinstance(found, package.Audit)
    assert found.defects == ("oddities", "duplicates", "leakage")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nothing.csv"], "no such file"),
        (["train.csv", "--text-column", "body"], "no column 'body'"),
        (["train.csv", "--test", "train.csv"], "is the training data itself"),
        (["train.csv", "--run", "nowhere"], "no such folder"),
        (["train.csv", "--fix", "clean.jsonl"], "--fix writes .csv"),
        (["train.csv", "--fix", "train.csv"], "is the input itself"),
        (["train.csv", "--test", "test.csv", "--fix", "test.csv"], "is the input itself"),
        (["train.csv", "--fix", "no/folder.csv"], "there is no folder no"),
        (["owner/name", "--fix", "clean.csv"], "--fix copies a file"),
        (["train.csv", "--fail-on", "rain"], "rain"),
    ],
)
def test_what_is_refused(
    folder: Path, problems_of: Callable[..., list[str]], arguments: list[str], problem: str
) -> None:
    (line,) = problems_of("audit", *arguments)
    assert problem in line
