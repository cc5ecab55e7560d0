"""Figures of a comparison: which there are, their numbers, and that each can be drawn."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.verdicts import Comparison, Contender, compare_contenders
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.report.figures.comparison import RunCurves, comparison_figures
from ranklet.evaluation.report.figures.drawing import figure_svg

ROWS = 200
EYE = np.eye(2, dtype=bool)


def right_rows(count: int) -> Any:
    return np.arange(ROWS) < count


def compared(**right: int) -> Comparison:
    """Compare runs that answer their first rows right."""
    labels = np.zeros(ROWS, dtype=np.int64)
    contenders = []
    for name, count in right.items():
        given = np.where(right_rows(count), 0, 1)
        evaluation = evaluate_one_label(EYE[given].astype(np.float32), labels, ["a", "b"], "test")
        answers = RowAnswers("texts", EYE[labels], EYE[given])
        contenders.append(
            Contender(name, {0: name}, {0: evaluation}, {0: answers}, 7, None, fields={})
        )
    return compare_contenders(contenders, "test", same_recipe=False)


def curves(name: str, right: int, epochs: int = 3) -> RunCurves:
    records = [
        {
            "kind": kind,
            "step": step,
            "epoch": float(step),
            "loss": 1 / step,
            "accuracy": 1 - 1 / step,
        }
        for step in range(1, epochs + 1)
        for kind in ("train", "validation")
    ]
    confidence = np.linspace(1.0, 0.5, ROWS)
    return RunCurves(name, name, records, confidence, right_rows(right))


def test_two_runs_have_every_figure_and_each_is_drawn() -> None:
    comparison = compared(mine=180, other=120)
    figures = comparison_figures(comparison, [curves("mine", 180), curves("other", 120)])
    assert figures.keys() == {
        "differences",
        "validation_accuracy",
        "validation_loss",
        "training_loss",
        "coverage",
        "agreement",
    }
    for name, drawing in figures.items():
        texts = "".join(ElementTree.fromstring(figure_svg(drawing)).itertext())
        assert drawing.numbers.title in texts, name
        assert {"mine", "other"} <= set(re.findall(r"mine|other", texts)), name


def test_the_numbers_are_those_of_the_runs() -> None:
    comparison = compared(mine=180, other=120)
    figures = comparison_figures(comparison, [curves("mine", 180), curves("other", 120)])
    (pairs,) = figures["differences"].numbers.series
    assert pairs.columns["difference"] == pytest.approx([0.3])
    assert pairs.columns["verdict"] == ["real"]
    mine, other = figures["coverage"].numbers.series
    # Rows are right from the surest on, so the surest fifth is right throughout.
    assert (mine.columns["accuracy"][0], mine.columns["accuracy"][-1]) == (1.0, 0.9)
    assert other.columns["accuracy"][-1] == pytest.approx(0.6)
    alike = [series.columns["agreement"] for series in figures["agreement"].numbers.series]
    assert alike == [[1.0, pytest.approx(0.7)], [pytest.approx(0.7), 1.0]]


def test_runs_without_records_or_confidence_have_no_curves() -> None:
    comparison = compared(mine=150, other=149)
    bare = [
        RunCurves(name, name, [], None, right_rows(count))
        for name, count in (("mine", 150), ("other", 149))
    ]
    figures = comparison_figures(comparison, bare)
    assert figures.keys() == {"differences", "agreement"}
    assert figures["differences"].numbers.series[0].columns["verdict"] == ["noise"]


def test_many_runs_have_no_tiles() -> None:
    comparison = compared(**{f"run{n}": 100 + n for n in range(13)})
    assert "agreement" not in comparison_figures(comparison, [])
