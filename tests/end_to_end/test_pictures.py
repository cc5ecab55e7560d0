"""What the earlier systems drew of a training, every finished run holds: drawn, and as numbers.

Training and validation loss, validation accuracy, precision, recall and F1 by step, confusion raw
and normalised, accuracy by class, ROC, lengths and classes of the texts, wrong predictions as csv.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FIGURES = (
    "training_loss",
    "validation_loss",
    "validation_accuracy",
    "validation_scores",
    "test_confusion_counts",
    "test_confusion_shares",
    "test_class_bars",
    "test_roc",
    "text_words",
    "class_distribution",
)
LABELS = ("Sports", "World")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def numbers_of(run: Path, name: str) -> Any:
    return json.loads((run / "figures" / f"{name}.json").read_text(encoding="utf-8"))


def series_of(run: Path, name: str) -> dict[str, Any]:
    return {each["name"]: each for each in numbers_of(run, name)["series"]}


@pytest.fixture
def run(made_once: Path) -> Path:
    return made_once / "run"


@pytest.fixture
def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def answers(run: Path) -> Counter[tuple[str, str]]:
    """Rows of test by true and predicted label."""
    found = rows_of(run / "evaluation" / "test_predictions.csv")
    return Counter((row["label"], row["predicted"]) for row in found)


@pytest.mark.parametrize("name", FIGURES)
def test_each_is_drawn_and_on_the_page(name: str, run: Path) -> None:
    assert (run / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (run / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    title = numbers_of(run, name)["title"].split(":")[0]
    assert title in (run / "report.html").read_text(encoding="utf-8")


def test_curves_are_those_of_the_records(run: Path, records: list[dict[str, Any]]) -> None:
    training = [record for record in records if record["kind"] == "train"]
    validation = [record for record in records if record["kind"] == "validation"]
    (loss,) = series_of(run, "training_loss").values()
    assert loss["loss"] == pytest.approx([record["loss"] for record in training])
    for figure, key in (("validation_loss", "loss"), ("validation_accuracy", "accuracy")):
        (held,) = series_of(run, figure).values()
        assert held[key] == [record[key] for record in validation]
        assert held["step"] == [record["step"] for record in validation]
    scores = series_of(run, "validation_scores")
    for score, key in (
        ("precision", "macro_precision"),
        ("recall", "macro_recall"),
        ("F1", "macro_f1"),
    ):
        assert scores[score]["score"] == [record[key] for record in validation]


def test_confusions_and_class_accuracy_are_those_of_the_predictions(
    run: Path, answers: Counter[tuple[str, str]]
) -> None:
    counts, shares = (
        series_of(run, "test_confusion_counts"),
        series_of(run, "test_confusion_shares"),
    )
    assert tuple(counts) == LABELS
    recall = series_of(run, "test_class_bars")["recall"]["value"]
    for place, label in enumerate(LABELS):
        assert counts[label]["rows"] == [answers[label, other] for other in LABELS]
        assert shares[label]["share"] == [answers[label, other] / 3 for other in LABELS]
        # The accuracy on the rows of a class is its recall.
        assert recall[place] == pytest.approx(answers[label, label] / 3)


def test_each_class_has_a_roc_curve_from_corner_to_corner(run: Path) -> None:
    curves = series_of(run, "test_roc")
    assert set(LABELS) <= set(curves)
    for label in LABELS:
        x, y = (curves[label][name] for name in ("false_positive_rate", "true_positive_rate"))
        assert ((x[0], y[0]), (x[-1], y[-1])) == ((0, 0), (1, 1))
        assert 0 <= curves[label]["area"] <= 1


def test_texts_are_counted_by_length_and_class(run: Path) -> None:
    lengths, classes = series_of(run, "text_words"), series_of(run, "class_distribution")
    assert {split: sum(held["texts"]) for split, held in lengths.items()} == {
        "train": 18,  # 30 rows, 6 of them taken for validation, 6 copies of test rows left out
        "validation": 6,
        "test": 6,
    }
    assert {split: held["texts"] for split, held in classes.items()} == {
        "train": [9, 9],
        "validation": [3, 3],
        "test": [3, 3],
    }


def test_wrong_predictions_are_a_csv_file(run: Path, answers: Counter[tuple[str, str]]) -> None:
    texts = {row["text"]: row["label"] for row in rows_of(run.parent / "test.csv")}
    found = rows_of(run / "evaluation" / "test_errors.csv")
    wrong = {pair: rows for pair, rows in answers.items() if pair[0] != pair[1]}
    assert Counter((row["label"], row["predicted"]) for row in found) == wrong
    assert all(texts[row["text"]] == row["label"] for row in found)
