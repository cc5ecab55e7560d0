"""Stress: the paired difference, the counts, and what a file holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.predictions import Predictions
from ranklet.evaluation.report.figures import stress_figures
from ranklet.evaluation.report.page import Section, cell_text
from ranklet.evaluation.report.stress_section import stress_section
from ranklet.evaluation.stress import (
    Stress,
    Sureness,
    accuracy_of,
    paired_difference,
    stress_point,
    sureness_of,
)
from ranklet.json_values import from_values, to_values

LABELS = ("a", "a", "b", "b")


def predictions(predicted: str, confidence: list[float] | None = None) -> Predictions:
    return Predictions(
        labels=LABELS,
        predicted=tuple(predicted),
        confidence=None if confidence is None else np.array(confidence, np.float32),
        right=np.array([one == other for one, other in zip(LABELS, predicted, strict=True)]),
    )


def stressed(clean: Predictions, *shifted: Predictions) -> Stress:
    points = [
        stress_point("typos", strength, 3, clean, each)
        for strength, each in zip((0.5, 1.0), shifted, strict=False)
    ]
    return Stress(
        source="<b>.csv",
        rows=4,
        of_rows=1_600,
        seed=7,
        accuracy_name="accuracy",
        accuracy=accuracy_of(clean),
        sureness=sureness_of(clean),
        points=tuple(points),
    )


def test_a_point_by_hand() -> None:
    clean = predictions("aaba", [1.0, 1.0, 1.0, 0.5])
    shifted = predictions("acbb", [0.5, 0.5, 0.75, 0.75])
    point = stress_point("typos", 0.5, 3, clean, shifted)
    assert (point.lost, point.gained, point.flipped, point.changed) == (1, 1, 2, 3)
    assert (point.accuracy.value, point.difference.value) == (0.75, 0.0)
    # Bins of equal confidence: half of two at 0.5 right, both at 0.75 right.
    assert point.sureness == Sureness(0.625, pytest.approx(0.125))


def test_a_wrong_label_that_becomes_another_wrong_one_is_flipped_alone() -> None:
    point = stress_point("typos", 0.5, 1, predictions("cabb"), predictions("babb"))
    assert (point.lost, point.gained, point.flipped, point.sureness) == (0, 0, 1, None)


def test_the_paired_interval_by_hand() -> None:
    # lost 1 of 8: shares 2/10 and 1/10, variance (0.3 - 0.01) / 10
    found = paired_difference(1, 0, 8)
    assert found.value == -0.125
    assert found.interval == pytest.approx((-0.433770, 0.233770), abs=1e-6)
    assert paired_difference(0, 0, 1_000).interval == pytest.approx((-0.002766, 0.002766), abs=1e-6)
    assert paired_difference(1, 0, 1).interval[0] == -1.0
    for lost, gained in ((5, 0), (0, 5), (2, 3)):
        low, high = paired_difference(lost, gained, 5).interval
        assert -1 <= low <= (gained - lost) / 5 <= high <= 1


@pytest.mark.parametrize(("lost", "gained"), [(0.05, 0.02), (0.01, 0.01), (0.3, 0.1)])
def test_the_paired_interval_covers_the_truth(lost: float, gained: float) -> None:
    counts = np.random.default_rng(0).multinomial(
        200, [lost, gained, 1 - lost - gained], size=2_000
    )
    covered = 0
    for row_lost, row_gained, _ in counts.tolist():
        low, high = paired_difference(row_lost, row_gained, 200).interval
        covered += low <= gained - lost <= high
    assert 0.93 <= covered / 2_000 <= 1.0


def test_it_is_read_as_it_was_written() -> None:
    one = stressed(predictions("aaba", [1.0, 1.0, 1.0, 0.5]), predictions("aabb", [0.3] * 4))
    several = stressed(predictions("aaba"), predictions("aabb"), predictions("bbbb"))
    for found in (one, several):
        assert from_values(Stress, json.loads(json.dumps(to_values(found))), "f", "r") == found
    assert several.kinds == ("typos",)


def test_what_was_not_written_by_it_is_refused() -> None:
    content = to_values(stressed(predictions("aaba"), predictions("aabb")))
    del content["points"][0]["lost"]
    with pytest.raises(RunError, match=r"^stress\.json: points\.0\.lost: not as written; again"):
        from_values(Stress, content, "stress.json", "again")


def test_the_figure_has_a_panel_for_each_shift_from_the_clean_texts_on() -> None:
    clean = predictions("aaba", [1.0, 1.0, 1.0, 0.5])
    found = stressed(clean, clean, predictions("bbaa", [0.9] * 4))
    numbers = stress_figures(found)["stress"].numbers
    assert numbers.title == "Accuracy under shifts of the texts"
    assert numbers.marks == {"clean": 0.75}
    (series,) = numbers.series
    assert (series.name, series.columns["strength"]) == ("typos", [0.0, 0.5, 1.0])
    assert series.columns["accuracy"] == [0.75, 0.75, 0.0]
    assert series.columns["confidence"] == pytest.approx([0.875, 0.875, 0.9])
    figure = stress_figures(found)["stress"].figure()
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    assert low <= 0.0
    assert high >= 1.0
    assert [axes.get_title("left"), len(axes.lines)] == ["typos", 3]


def test_several_labels_have_no_confidence_to_draw() -> None:
    found = stressed(predictions("aaba"), predictions("aabb"))
    drawing = stress_figures(found)["stress"]
    assert "confidence" not in drawing.numbers.series[0].columns
    assert len(drawing.figure().axes[0].lines) == 2
    last = stress_section(found).tables[0].rows[0][-2:]
    assert [cell_text(cell, 1) for cell in last] == [("\u2013", "")] * 2


def test_the_section_has_a_row_for_the_clean_texts_and_each_point() -> None:
    clean = predictions("aaba", [1.0, 1.0, 1.0, 0.5])
    section = stress_section(stressed(clean, clean, predictions("bbaa", [0.9] * 4)))
    assert isinstance(section, Section)
    assert "the 1,600 texts of <b>.csv" in section.note
    (table,) = section.tables
    assert [row[0] for row in table.rows] == ["clean", "typos", "typos"]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    # lost 3 of 4: shares 4/6 and 1/6; -0.5 - 1.96 * sqrt((5/6 - 1/4) / 6) is below -1
    shown = [[cell_text(cell, table.digits) for cell in row] for row in table.rows]
    assert shown[2][4] == ("-75.0", "-100.0 to +11.1")
    assert shown[1][4][0] == "+0.0"
    assert shown[2][-2][0].startswith("90.0")
