"""`predict --sample`: what a contest asks for, checked against its sample and its test file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import ranklet as library

TEXTS = [
    "the goal a team",
    "the treaty a border",
    "the coach a league",
    "",
    "a minister, the envoy",
]
IDS = ["0012", "9007199254740993999", "a,b", "007", "x y"]


def put(folder: Path, name: str, rows: list[list[str]], end: str = "\n", mark: str = "") -> None:
    with (folder / name).open("w", newline="", encoding="utf-8") as stream:
        stream.write(mark)
        csv.writer(stream, lineterminator=end).writerows(rows)


def written(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    return list(csv.reader(raw.decode("utf-8").splitlines(keepends=True)))


@pytest.fixture
def contest(workplace: Path) -> Path:
    rows = [["id", "text"], *([name, text] for name, text in zip(IDS, TEXTS, strict=True))]
    put(workplace, "contest.csv", rows)
    return workplace


def predicted(run: str = "run") -> list[str]:
    return library.load(run, merge=True).predict(TEXTS)


PREDICT = ("predict", "run", "contest.csv", "--output", "submission.csv", "--sample", "sample.csv")


@pytest.mark.parametrize(("end", "mark"), [("\n", ""), ("\r\n", ""), ("\n", "\ufeff")])
def test_order_ids_and_header_are_those_of_the_sample(
    contest: Path, ranklet: Any, end: str, mark: str
) -> None:
    put(
        contest,
        "sample.csv",
        [["id", "topic"], *([name, "World"] for name in IDS[::-1])],
        end,
        mark,
    )
    answer = ranklet(*PREDICT)
    assert answer.returncode == 0, answer.stderr
    labels = dict(zip(IDS, predicted(), strict=True))
    expected = [["id", "topic"], *([name, labels[name]] for name in IDS[::-1])]
    assert written(contest / "submission.csv") == expected
    assert "kaggle competitions submit -c COMPETITION -f submission.csv -m MESSAGE" in answer.stdout
    record = json.loads((contest / "submission.json").read_text(encoding="utf-8"))
    assert record["labels"] == {"Sports": "Sports", "World": "World"}
    assert record["label_form"] == "name"
    assert len(record["model_sha256"]) == 64


@pytest.mark.parametrize(
    ("header", "ids", "says"),
    [
        (["id", "y"], IDS[:-1], "1 of the 5 ids of the test file are missing in it, such as 'x y'"),
        (["id", "y"], [*IDS, "new"], "1 of its 6 ids have no text in the test file, such as 'new'"),
        (["id", "y"], [*IDS, "007"], "1 ids stand twice, such as '007'"),
        (["ID", "y"], IDS, "its ids are called 'ID', those of the test file 'id'"),
        (["number", "y"], IDS[:-1], "4 rows, and the test file has 5 texts and no column 'number'"),
        (["id"], IDS, "one column, 'id'; a sample has a column of ids and one of answers"),
        (["id", "a", "b"], IDS, "its answer columns 'a', 'b' are not the labels 'Sports', 'World'"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_written(
    contest: Path, ranklet: Any, header: list[str], ids: list[str], says: str
) -> None:
    put(contest, "sample.csv", [header, *([name, *["World"] * (len(header) - 1)] for name in ids)])
    answer = ranklet(*PREDICT)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert not list(contest.glob("submission*"))


def test_an_id_twice_in_the_test_file_is_refused(contest: Path, ranklet: Any) -> None:
    put(contest, "contest.csv", [["id", "text"], ["1", "goal"], ["1", "treaty"]])
    put(contest, "sample.csv", [["id", "y"], ["1", "World"]])
    assert "1 ids of the test file stand twice, such as '1'" in ranklet(*PREDICT).stderr


@pytest.mark.parametrize(("rows", "ids"), [("sample", IDS[:-1]), ("test", IDS)])
def test_a_stale_sample_is_somebodys_choice(
    contest: Path, ranklet: Any, rows: str, ids: list[str]
) -> None:
    put(contest, "sample.csv", [["id", "y"], *([name, "World"] for name in IDS[:-1])])
    assert ranklet(*PREDICT, "--rows", rows).returncode == 0
    assert [row[0] for row in written(contest / "submission.csv")[1:]] == ids


def test_a_column_a_label_holds_probabilities_in_the_order_of_the_header(
    contest: Path, ranklet: Any
) -> None:
    put(contest, "sample.csv", [["id", "World", "Sports"], *([name, "0.5", "0.5"] for name in IDS)])
    assert ranklet(*PREDICT).returncode == 0
    probabilities = library.load("run", merge=True).predict_proba(TEXTS)  # Sports, World
    for row, expected in zip(written(contest / "submission.csv")[1:], probabilities, strict=True):
        assert [float(cell) for cell in row[1:]] == pytest.approx(expected[::-1].tolist(), abs=1e-6)
        assert sum(float(cell) for cell in row[1:]) == pytest.approx(1, abs=1e-6)
        assert all("e" not in cell for cell in row[1:])


def test_one_column_of_probabilities_names_its_label(contest: Path, ranklet: Any) -> None:
    put(contest, "sample.csv", [["id", "target"], *([name, "0.5"] for name in IDS)])
    answer = ranklet(*PREDICT)
    assert answer.returncode == 2
    assert "name the label, such as --positive 'World'" in answer.stderr
    assert ranklet(*PREDICT, "--positive", "World").returncode == 0
    probabilities = library.load("run", merge=True).predict_proba(TEXTS)[:, 1]
    cells = [float(row[1]) for row in written(contest / "submission.csv")[1:]]
    assert cells == pytest.approx(probabilities.tolist(), abs=1e-6)


def test_an_unclear_form_is_asked_for(contest: Path, ranklet: Any) -> None:
    put(contest, "sample.csv", [["id", "y"], *([name, "0"] for name in IDS)])
    answer = ranklet(*PREDICT)
    assert answer.returncode == 2
    assert "say how they are to be written: --label-form name or value or position" in answer.stderr
    assert ranklet(*PREDICT, "--label-form", "position").returncode == 0
    places = [str(["Sports", "World"].index(label)) for label in predicted()]
    assert [row[1] for row in written(contest / "submission.csv")[1:]] == places


@pytest.fixture
def numbered(workplace: Path, ranklet: Any) -> Path:
    """A contest whose training file counts its labels from 1, and whose recipe names them."""
    for name in ("train", "test"):
        text = (workplace / f"{name}.csv").read_text(encoding="utf-8")
        text = text.replace(",Sports", ",2").replace(",World", ",1")
        (workplace / f"{name}.csv").write_text(text, encoding="utf-8")
    return workplace


@pytest.mark.parametrize("names", [(), ("--set", "data.label_names=[World, Sports]")])
def test_labels_are_written_as_the_training_file_has_them(
    numbered: Path, ranklet: Any, names: tuple[str, ...]
) -> None:
    assert ranklet("train", "recipe.yaml", *names, "--out", "two").returncode == 0
    command = ("predict", "two", "test.csv", "--output", "two.csv")
    assert ranklet(*command, "--submission").returncode == 0
    plain = [row[1] for row in written(numbered / "two.csv")[1:]]
    assert set(plain) <= {"1", "2"}
    put(numbered, "sample.csv", [["row", "label"], *([str(row), "1"] for row in range(len(plain)))])
    answer = ranklet(*command, "--sample", "sample.csv")
    assert answer.returncode == 0, answer.stderr
    assert [row[1] for row in written(numbered / "two.csv")[1:]] == plain
    if names:
        assert "World is written 1\nSports is written 2\n" in answer.stdout


def test_the_file_scores_what_evaluate_says(contest: Path, ranklet: Any) -> None:
    rows = list(csv.DictReader((contest / "test.csv").read_text(encoding="utf-8").splitlines()))
    truth = {str(number): row["label"] for number, row in enumerate(rows)}
    put(
        contest,
        "dev.csv",
        [
            ["nr", "text", "label"],
            *([str(number), row["text"], row["label"]] for number, row in enumerate(rows)),
        ],
    )
    put(contest, "sample.csv", [["nr", "y"], *([number, "World"] for number in truth)])
    command = ["predict", "run", "dev.csv", "--output", "s.csv", "--sample", "sample.csv"]
    assert ranklet(*command).returncode == 0
    right = [truth[number] == label for number, label in written(contest / "s.csv")[1:]]
    evaluation = library.evaluate("run", "dev.csv")
    assert sum(right) / len(right) == evaluation.accuracy.value


@pytest.mark.parametrize(
    ("data", "output"), [("contest.csv", "sample.csv"), ("new.json", "new.csv")]
)
def test_nothing_that_is_read_is_written(
    contest: Path, ranklet: Any, data: str, output: str
) -> None:
    put(contest, "sample.csv", [["id", "y"], *([name, "World"] for name in IDS)])
    records = [{"id": name, "text": text} for name, text in zip(IDS, TEXTS, strict=True)]
    (contest / "new.json").write_text(json.dumps(records), encoding="utf-8")
    before = [(contest / name).read_bytes() for name in ("sample.csv", "new.json")]
    answer = ranklet("predict", "run", data, "--output", output, "--sample", "sample.csv")
    assert answer.returncode == 2
    assert "is the input itself; name another --output" in answer.stderr
    assert [(contest / name).read_bytes() for name in ("sample.csv", "new.json")] == before
