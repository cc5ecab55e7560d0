"""ranklet estimate, from the command line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as package

Command = Callable[..., Any]


def estimate(ranklet: Command, *arguments: str) -> dict[str, Any]:
    answer = ranklet("estimate", *arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    assert "asking about" in answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_new_texts_need_no_labels_and_labels_are_ignored(workplace: Path, ranklet: Command) -> None:
    texts = [line.rpartition(",")[0] for line in Path("test.csv").read_text().splitlines()[1:]]
    Path("new.txt").write_text("\n".join(texts) + "\n")
    found = estimate(ranklet, "run", "new.txt")
    assert found == estimate(ranklet, "run", "test.csv")
    low, high = found["interval"]
    assert 0 <= low <= found["accuracy"] <= high <= 1
    held = json.loads(Path("run/evaluation/validation.json").read_text())
    assert found["validation"]["value"] == held["accuracy"]
    assert (found["rows"], found["validation_rows"]) == (6, 6)
    assert found["told_apart"] is None  # too few texts to see
    printed = ranklet("estimate", "run", "new.txt").stdout
    assert f"expected accuracy  {found['accuracy']:.2%}" in printed
    for name, value in found["estimators"].items():
        assert f"  {name:<33} {value:.2%}" in printed


def test_the_known_texts_themselves_are_as_accurate_as_known(
    workplace: Path, ranklet: Command
) -> None:
    found = estimate(ranklet, "run", "test.csv", "--validation", "test.csv")
    known = json.loads(Path("run/evaluation/test.json").read_text())["accuracy"]
    assert found["accuracy"] == pytest.approx(known)
    for name in ("difference of confidences", "thresholded confidence", "thresholded entropy"):
        assert found["estimators"][name] == pytest.approx(known)
    assert found["warning"] is None


def test_texts_of_another_source_are_warned_of_and_own_ones_are_not(
    workplace: Path, ranklet: Command
) -> None:
    words = {"Sports": ["team", "goal", "match"], "World": ["minister", "treaty", "border"]}
    generator = random.Random(0)
    rows = [
        (" ".join(generator.choices([*words[label], "the", "a"], k=8)), label)
        for _ in range(60)
        for label in words
    ]
    Path("known.csv").write_text("text,label\n" + "".join(f"{t},{n}\n" for t, n in rows[:80]))
    Path("own.txt").write_text("".join(f"{text}\n" for text, _ in rows[80:]))
    foreign = [" ".join(generator.choices(["zwei", "drei", "the"], k=3)) for _ in range(40)]
    Path("foreign.txt").write_text("\n".join(foreign) + "\n")
    own = estimate(ranklet, "run", "own.txt", "--validation", "known.csv")
    assert own["warning"] is None
    assert 0.5 <= own["told_apart"] < 0.75
    printed = ranklet("estimate", "run", "foreign.txt", "--validation", "known.csv").stdout
    (warning,) = [line for line in printed.splitlines() if line.startswith("warning: ")]
    assert "another source" in warning
    assert "they are shorter (3 words, not 8)" in warning
    assert "source             a new text is told from a validation text in" in printed


def test_seeds_are_averaged_and_their_agreement_told(workplace: Path, ranklet: Command) -> None:
    other = ranklet("train", "recipe.yaml", "--set", "seed=7", "--out", "other")
    assert other.returncode == 0, other.stderr
    first, second = (estimate(ranklet, run, "test.csv") for run in ("run", "other"))
    both = estimate(ranklet, "run", "test.csv", "--with", "other")
    assert both["accuracy"] == pytest.approx((first["accuracy"] + second["accuracy"]) / 2)
    assert both["validation_rows"] == 12
    labels = []
    for run in ("run", "other"):
        ranklet("predict", run, "test.csv", "--output", "out.jsonl")
        lines = Path("out.jsonl").read_text().splitlines()
        labels.append([json.loads(line)["label"] for line in lines])
    agreed = [mine == yours for mine, yours in zip(*labels, strict=True)]
    assert both["estimators"]["agreement of the runs"] == sum(agreed) / len(agreed)
    in_python = package.estimate("run", "test.csv", others=["other"])
    assert isinstance(in_python, package.Estimate)
    assert in_python.accuracy == both["accuracy"]


def test_what_cannot_be_estimated_is_refused(bench: Any, is_refused: Any) -> None:
    progress = "run: asking|asking"
    bench.put("empty.txt", "")
    is_refused("estimate run empty.txt", "empty.txt: ")
    is_refused("estimate run/adapter test.csv", "run/adapter: is no run .. --validation")
    is_refused("estimate run test.csv --with run/adapter", "run/adapter: ")
    bench.put("one.csv", "text,label\nthe team,Sports\n")
    is_refused("estimate run test.csv --validation one.csv", "one.csv: holds 1 texts .. 2 are")
    bench.put("train.csv", (bench.folder / "train.csv").read_text() + "the a,World\n")
    is_refused(
        "estimate run test.csv",
        "train.csv: is not there as the run run read it .. --validation",
        progress=progress,
    )
    bench.remove("train.csv")
    is_refused("estimate run test.csv", "train.csv: is not there as the run run read it")


def test_texts_with_several_labels_are_refused(
    workplace: Path, ranklet: Command, is_refused: Any
) -> None:
    problem = "data.problem_type=multi_label_classification"
    several = ("--set", problem, "--set", "data.train=several.csv")
    trained = ranklet("train", "recipe.yaml", *several, "--out", "several")
    assert trained.returncode == 0, trained.stderr
    is_refused("estimate several test.csv", "several: gives a text several labels")
