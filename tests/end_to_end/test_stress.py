"""ranklet stress: from a run to a certified file and a section of its report."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import ranklet as library
from ranklet.data import perturbations as shifts
from ranklet.data.perturbations import PERTURBATIONS
from ranklet.workflows import stress as workflow


@pytest.fixture
def stressed(ranklet: Any) -> Any:
    """Stress a model and return what was printed as JSON."""

    def call(*options: str, model: str = "run") -> Any:
        answer = ranklet("stress", model, "--json", *options)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return call


def point_of(found: Any, kind: str, strength: float = 1.0) -> Any:
    (point,) = (
        point for point in found["points"] if (point["kind"], point["strength"]) == (kind, strength)
    )
    return point


def rows_of_test() -> list[dict[str, str]]:
    with Path("test.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_figures_are_those_of_shifted_texts(workplace: Path, stressed: Any) -> None:
    found = stressed("--strengths", "0.5,1", "--seed", "3", "--precision", "float32")
    rows, model = rows_of_test(), library.load("run", precision="float32")
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    before = model.predict(texts)
    assert (found["source"], found["rows"], found["of_rows"]) == ("test", 6, 6)
    source = library.ModelSource("run", precision="float32")
    assert found["accuracy"]["value"] == library.evaluate(source).accuracy.value
    assert [(each["kind"], each["strength"]) for each in found["points"]] == [
        (kind, strength) for kind in PERTURBATIONS for strength in (0.5, 1.0)
    ]
    for each in found["points"]:
        shifted = PERTURBATIONS[each["kind"]](texts, each["strength"], 3)
        after = model.predict(shifted)
        assert each["changed"] == sum(a != b for a, b in zip(texts, shifted, strict=True))
        assert each["flipped"] == sum(a != b for a, b in zip(before, after, strict=True))
        assert each["accuracy"]["value"] == sum(map(str.__eq__, after, labels)) / 6
        confidence = model.predict_proba(shifted).max(1).mean()
        assert each["sureness"]["confidence"] == pytest.approx(float(confidence), abs=1e-6)


def test_no_label_changes_and_a_shift_that_moves_texts_would_show(
    workplace: Path, stressed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The encoder lowers what it reads, so capitals change texts and nothing else.
    point = point_of(stressed("--kinds", "upper"), "upper")
    assert (point["changed"], point["flipped"], point["difference"]["value"]) == (6, 0, 0.0)

    def backwards(kind: str, texts: Any, strength: float, seed: int) -> list[str]:
        return shifts.upper(texts, strength, seed)[::-1]

    monkeypatch.setattr(workflow, "perturb", backwards)
    monkeypatch.setattr(workflow, "predictions_of", _with_texts(workflow.predictions_of))
    assert point_of(stressed("--kinds", "upper"), "upper")["flipped"] == 6


def _with_texts(predictions_of: Any) -> Any:
    """Let the predicted label be the text itself, lowered, so that every move is seen."""
    from dataclasses import replace

    def call(model: Any, answers: Any) -> Any:
        labels = tuple(text.lower() for text in answers.texts)
        return replace(predictions_of(model, answers), predicted=labels)

    return call


def test_equal_seeds_draw_equal_rows(workplace: Path, stressed: Any) -> None:
    options = ("--data", "train.csv", "--rows", "10", "--kinds", "typos", "--strengths", "1")
    first = stressed(*options)
    assert (first["rows"], first["of_rows"], first["source"]) == (10, 30, "train.csv")
    assert stressed(*options) == first
    other = stressed(*options, "--seed", "1")
    assert {**other, "seed": 0} != first


def test_a_run_keeps_it_certified_and_its_report_shows_it(
    workplace: Path, bench: Any, ranklet: Any, stressed: Any
) -> None:
    found = stressed("--kinds", "typos,reverse", "--strengths", "1")
    assert json.loads(Path("run/evaluation/stress.json").read_text()) == found
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "Under stress" in page
    assert "word_drops" not in page
    numbers = json.loads(Path("run/figures/stress.json").read_text())
    assert [each["name"] for each in numbers["series"]] == ["typos", "reverse"]
    assert Path("run/figures/stress.png").is_file()
    held = json.loads(Path("run/certificate.json").read_text())["sha256"]["files"]
    assert list(held) == sorted(held)
    assert ranklet("verify", "run").returncode == 0
    stressed("--kinds", "lower")  # again: the file and its hash are replaced
    assert ranklet("verify", "run").returncode == 0
    bench.fields("run/evaluation/stress.json", seed=1)
    checks = json.loads(ranklet("verify", "run", "--json").stdout)
    wrong = {check["name"]: check["detail"] for check in checks if check["state"] == "differs"}
    assert wrong == {"evaluation": "not as certified: evaluation/stress.json"}


def test_stress_certifies_nothing_else(workplace: Path, bench: Any, ranklet: Any) -> None:
    bench.fields("run/evaluation/test.json", log_loss=0.5)
    assert ranklet("stress", "run", "--kinds", "lower").returncode == 0
    checks = json.loads(ranklet("verify", "run", "--json").stdout)
    wrong = [check["detail"] for check in checks if check["state"] == "differs"]
    assert wrong == ["not as certified: evaluation/test.json"]


def test_a_certificate_from_before_there_were_hashes_stays(
    workplace: Path, bench: Any, stressed: Any
) -> None:
    held = json.loads(Path("run/certificate.json").read_text())
    del held["sha256"]["files"]
    bench.put("run/certificate.json", json.dumps(held))
    stressed("--kinds", "lower")
    assert json.loads(Path("run/certificate.json").read_text()) == held


def test_a_bare_adapter_is_printed_and_nothing_is_written(
    workplace: Path, bench: Any, ranklet: Any
) -> None:
    shutil.copytree("run/adapter", "bare")
    before = bench.tree()
    answer = ranklet("stress", "bare", "--data", "test.csv", "--kinds", "typos,truncation")
    assert answer.returncode == 0, answer.stderr
    assert bench.tree() == before
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("test.csv: 6 of 6 texts")
    assert lines[1] == "Clean and shifted texts, with 95 % intervals"
    assert [line.split()[0] for line in lines[2:]] == ["shift", "clean", *["typos"] * 4] + (
        ["truncation"] * 4
    )


def test_a_shrunk_run_keeps_it_without_a_report(
    workplace: Path, ranklet: Any, stressed: Any
) -> None:
    budget = json.loads(Path("run/plan.json").read_text())["total"]
    assert ranklet("shrink", "run", "--budget", str(budget), "--out", "small").returncode == 0
    found = stressed("--kinds", "lower", "--data", "test.csv", model="small")
    assert json.loads(Path("small/evaluation/stress.json").read_text()) == found
    assert not Path("small/report.html").exists()
    assert ranklet("verify", "small").returncode == 0


def test_several_columns_are_joined_backwards(
    workplace: Path, stressed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("the team", "a goal", "Sports"), ("envoy", "the border", "World")]
    with Path("parts.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("title", "body", "label"), *rows])
    seen: list[list[str]] = []

    def watched(model: Any, clean: Any, texts: list[str]) -> Any:
        seen.append(list(texts))
        return asked(model, clean, texts)

    asked = workflow._answer_changed
    monkeypatch.setattr(workflow, "_answer_changed", watched)
    columns = ("--text-column", "title", "--text-column", "body")
    options = ("--kinds", "reverse,upper", "--strengths", "1")
    found = stressed("--data", "parts.csv", *columns, *options)
    assert seen == [
        ["a goal the team", "the border envoy"],
        ["THE TEAM A GOAL", "ENVOY THE BORDER"],
    ]
    assert point_of(found, "reverse")["changed"] == 2


def test_no_rows_are_refused_in_python_too(workplace: Path) -> None:
    with pytest.raises(library.RankletError, match="rows: 0 is too few; draw at least 1"):
        library.stress("run", rows=0)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (
            "stress run --kinds typos,uper",
            "kinds: unknown kind 'uper'; allowed are 'typos', 'lower' .. ; did you mean 'upper'?",
        ),
        ("stress run --strengths 0.5,1.5", "strengths: 1.5 is no strength; give numbers above 0"),
        ("stress run --strengths 0", "strengths: 0 is no strength"),
        ("stress run --strengths nan", "strengths: nan is no strength"),
        ("stress run --strengths half", " .. 'half' is not a list of numbers such as 0.1,0.5"),
        ("stress run --rows 0", "Invalid value for '--rows': Input should be greater"),
        ("stress run/adapter", "run/adapter: no test data; name some with --data"),
        ("stress nowhere --data test.csv", "nowhere: no such folder"),
        ("stress run --data test.csv --label-column topic", "test.csv .. no column 'topic'"),
    ],
)
def test_what_cannot_be_asked_is_refused(command: str, problem: str, is_refused: Any) -> None:
    is_refused(command, problem)
