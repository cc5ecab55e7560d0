"""Evaluation of a run: temperature, predictions of each row, slices, thresholds, errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ranklet as library
from ranklet.evaluation.baselines import CHARACTERS, MAJORITY, WORDS
from ranklet.evaluation.result import Evaluation
from ranklet.json_values import from_values
from ranklet.problem import SingleLabel
from ranklet.run.folder import Run
from ranklet.run.reading import read_baselines, read_importance


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def set_temperature(bench: Any, value: object, exponent: float | None = None) -> None:
    bench.fields("run/adapter/classifier.json", temperature=value, exponent=exponent)


def test_a_run_keeps_what_was_said_about_each_row(workplace: Path) -> None:
    for split in ("test", "validation"):
        stated = json.loads(Path(f"run/evaluation/{split}.json").read_text())
        rows = rows_of(f"run/evaluation/{split}_predictions.csv")
        assert [row["row"] for row in rows] == [str(index) for index in range(stated["rows"])]
        assert sum(int(row["correct"]) for row in rows) / len(rows) == stated["accuracy"]
        assert all((row["label"] == row["predicted"]) == (row["correct"] == "1") for row in rows)
        errors = rows_of(f"run/evaluation/{split}_errors.csv")
        assert len(errors) == sum(row["correct"] == "0" for row in rows)
        sure = [float(row["confidence"]) for row in errors]
        assert sure == sorted(sure, reverse=True)
        assert {row["text"] for row in errors} <= {row["text"] for row in source_rows(split)}
    held = json.loads(Path("run/certificate.json").read_text())["sha256"]["files"]
    assert {"evaluation/test_predictions.csv", "evaluation/validation_errors.csv"} <= held.keys()


def test_a_run_says_what_needs_no_encoder_and_which_words_misled_it(workplace: Path) -> None:
    found = read_baselines(Run(Path("run")))
    labels = [row["label"] for row in rows_of("test.csv")]
    assert [each.name for each in found["test"]] == [MAJORITY, WORDS, CHARACTERS]
    assert found["test"][0].accuracy.value in {
        labels.count(label) / len(labels) for label in set(labels)
    }
    words = read_importance(Run(Path("run")), "test").rows
    errors = [int(row["row"]) for row in rows_of("run/evaluation/test_errors.csv")]
    assert words
    assert list(words) == errors[: len(words)]
    model, texts = library.load("run", precision="float32"), rows_of("test.csv")
    row = errors[0]
    own = texts[row]["text"].split()
    probabilities = model.predict_proba([" ".join(own), " ".join(own[1:])])
    lost = probabilities[:, probabilities[0].argmax()]
    assert words[row][0] == (own[0], pytest.approx(lost[0] - lost[1], abs=1e-4))


def source_rows(split: str) -> list[dict[str, str]]:
    return rows_of("test.csv" if split == "test" else "train.csv")


def test_the_saved_temperature_is_used_everywhere_and_moves_no_label(
    workplace: Path, bench: Any, ranklet: Any
) -> None:
    settings = json.loads(Path("run/adapter/classifier.json").read_text())
    stated = json.loads(Path("run/evaluation/test.json").read_text())["one_label"]["calibration"]
    for key in ("temperature", "exponent"):
        assert stated[key] == settings[key]
    texts = [row["text"] for row in rows_of("test.csv")]
    before, labels, unscaled = {}, {}, []
    for temperature, exponent in ((1.0, 1.0), (4.0, 1.0), (2.0, 3.0)):
        set_temperature(bench, temperature, exponent)
        model = library.load("run", precision="float32")
        before[temperature] = model.predict_proba(texts)
        labels[temperature] = model.predict(texts)
        command = "predict run test.csv --output out.csv --probabilities --precision float32"
        merged = ranklet(*command.split())
        assert merged.returncode == 0, merged.stderr
        shares = [
            float(row[f"probability of {model.labels.names[0]}"]) for row in rows_of("out.csv")
        ]
        assert shares == pytest.approx(before[temperature][:, 0], abs=2e-6)
        found = library.evaluate("run").one_label.calibration
        assert (found.temperature, found.exponent) == (temperature, exponent)
        unscaled.append(found.log_loss_before)
    assert labels[1.0] == labels[4.0] == labels[2.0]
    assert unscaled == pytest.approx([unscaled[0]] * 3, abs=1e-5)
    powers = before[1.0].astype(np.float64) ** (1 / 4)
    np.testing.assert_allclose(before[4.0], powers / powers.sum(1, keepdims=True), rtol=1e-5)
    distances = -np.log(before[1.0] / before[1.0].max(1, keepdims=True)).astype(np.float64)
    powers = np.exp(-((distances / 2) ** 3))
    np.testing.assert_allclose(before[2.0], powers / powers.sum(1, keepdims=True), rtol=1e-4)


def test_a_folder_from_before_there_was_a_temperature(workplace: Path, bench: Any) -> None:
    set_temperature(bench, None)  # removes the keys
    assert library.load("run").problem == SingleLabel()


@pytest.mark.parametrize("value", [0, -1.0, "warm"])
def test_a_temperature_that_is_none_is_refused(value: object, bench: Any, is_refused: Any) -> None:
    set_temperature(bench, value)
    is_refused("evaluate run", "run/adapter/classifier.json: temperature: ")


def test_an_evaluation_without_further_figures_is_read(workplace: Path) -> None:
    content = json.loads(Path("run/evaluation/test.json").read_text())
    for key in ("one_label", "slices"):
        assert content.pop(key)
    small = from_values(Evaluation, content, "f", "r")
    assert (small.one_label, small.slices, small.threshold) == (None, None, None)


def test_slices_by_a_column_details_and_errors(workplace: Path, ranklet: Any) -> None:
    rows = rows_of("test.csv")
    lines = [{**row, "source": "wire" if place % 2 else "blog"} for place, row in enumerate(rows)]
    Path("more.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = ("evaluate", "run", "--data", "more.jsonl", "--slice-by", "source")
    found = json.loads(ranklet(*asked, "--json").stdout)
    by_source = {each["value"]: each["rows"] for each in found["slices"] if each["by"] == "source"}
    assert by_source == {"blog": 3, "wire": 3}
    for by in ("words", "tokens", "class", "confidence", "source"):
        assert sum(each["rows"] for each in found["slices"] if each["by"] == by) == 6
    printed = ranklet(*asked).stdout
    assert "blog" in printed
    assert "mean confidence" not in printed
    in_full = ("--errors", "wrong.csv", "--precision", "float32")
    detailed = ranklet("evaluate", "run", "--details", *in_full).stdout
    assert "only the surest rows are answered" in detailed
    assert "mean confidence" in detailed
    assert rows_of("wrong.csv") == rows_of("run/evaluation/test_errors.csv")


def test_a_threshold_is_chosen_on_validation(workplace: Path, ranklet: Any) -> None:
    held = rows_of("run/evaluation/validation_predictions.csv")
    wanted = sum(int(row["correct"]) for row in held) / len(held)
    found = json.loads(ranklet("evaluate", "run", "--accuracy", str(wanted), "--json").stdout)
    chosen = found["threshold"]
    assert chosen["validation"]["rows"] == len(held)
    assert chosen["validation"]["threshold"] == chosen["here"]["threshold"]
    assert chosen["validation"]["threshold"] == min(
        float(np.float32(row["confidence"])) for row in held
    )


def test_what_cannot_be_asked_is_refused(bench: Any, is_refused: Any) -> None:
    is_refused(
        "evaluate run --slice-by topic", "test.csv: no column 'topic'; the columns are 'label'"
    )
    bench.remove("run/evaluation/validation_predictions.csv")
    is_refused(
        "evaluate run --accuracy 0.9",
        "run/evaluation/validation_predictions.csv: holds no predictions as `train` writes them",
    )


def test_predictions_that_do_not_give_the_accuracy_are_noticed(bench: Any, ranklet: Any) -> None:
    path = Path("run/evaluation/test_predictions.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    checks = json.loads(ranklet("verify", "run", "--json").stdout)
    wrong = {check["name"]: check["detail"] for check in checks if check["state"] == "differs"}
    assert list(wrong) == ["evaluation"]
    assert "evaluation/test_predictions.csv" in wrong["evaluation"]
