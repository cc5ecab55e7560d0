"""The tables of the report: every figure of an evaluation, by name and with its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.report import tables
from ranklet.evaluation.report.page import cell_text
from ranklet.evaluation.report.table import Table
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.selective import ChosenThreshold, Coverage
from ranklet.evaluation.slices import Slice

SPACE, DASH = "\N{NARROW NO-BREAK SPACE}", "\N{EN DASH}"


def small() -> Evaluation:
    """Four rows of four classes, three right: D, of which there is one row, is taken for A."""
    probabilities = np.eye(4, dtype=np.float32) * 0.6 + 0.1
    probabilities[3] = probabilities[0]
    return evaluate_one_label(probabilities, np.arange(4), ("A", "B", "C", "D"), "test")


def values(table: Table) -> dict[str, tuple[object, ...]]:
    """The rows as a page shows them, by their headings; a cell with two lines is a tuple."""
    return {name: tuple(cells) for name, *cells in shown(table)}


def shown(table: Table) -> list[list[object]]:
    texts = [[cell_text(cell, table.digits) for cell in row] for row in table.rows]
    return [[(text, note) if note else text for text, note in row] for row in texts]


def test_every_score_is_listed() -> None:
    whole = small()
    found = values(tables.score_table(whole))
    assert found["Accuracy"][0] == f"75.0{SPACE}%"
    assert found["Accuracy"][1] == f"30.1{DASH}95.4{SPACE}%"  # Wilson's interval of 3 of 4
    # D is the fourth of equally probable B, C and D for its row.
    assert found["Among the 2 most probable"][0] == f"75.0{SPACE}%"
    assert found["Among the 3 most probable"][0] == f"75.0{SPACE}%"
    # Kappa: (3/4 - 1/4) / (1 - 1/4); expected 2/4 x 1/4 + 1/4 x 1/4 + 1/4 x 1/4 + 0 = 1/4.
    assert found["Cohen\N{RIGHT SINGLE QUOTATION MARK}s kappa"][0] == "0.667"
    assert whole.one_label is not None
    assert found["Matthews correlation"][0] == f"{whole.one_label.matthews.value:.3f}"
    # Three rows of 0.3² + 3 x 0.1² = 0.12, one of 0.7² + 2 x 0.1² + 0.9² = 1.32.
    assert found["Brier score, 0 to 2"] == ("0.4200", "")
    # Log-loss: three times -ln 0.7, once -ln 0.1.
    assert found["Log-loss, nats"] == ("0.8432", "")
    # Confidence 0.7, accuracy 0.75, one bin. By chance 3 of 4 rows are right in 4 x 0.7³ x 0.3 of
    # the cases: 2 x 3 x 0.3 x 0.4116 / 4.
    by_chance = f"5.00{SPACE}% (18.52{SPACE}% by chance)"
    assert found["Expected calibration error"] == (by_chance, "")
    assert {"ROC-AUC, macro", "PR-AUC, macro", "F1, weighted"} <= found.keys()


def test_classes_have_areas() -> None:
    table = tables.class_table(small())
    assert table.columns[-2:] == ["ROC-AUC", "PR-AUC"]
    # A: its row and D's are equally probable, the others below: (1 + 1 + 0.5) / 3.
    assert values(table)["A"][-2] == "0.8333"
    assert values(table)["B"][-2:] == ("1.0000", "1.0000")
    older = tables.class_table(replace(small(), one_label=None))
    assert list(older.columns) == ["class", "rows", "precision", "recall", "F1"]


def test_confusions_are_listed_largest_first() -> None:
    names = tuple(f"class {place}" for place in range(21))
    probabilities = np.eye(21, dtype=np.float32)
    probabilities[3] = probabilities[0]
    many = evaluate_one_label(probabilities, np.arange(21), names, "test")
    table = tables.confusion_table(many)
    assert shown(table) == [["class 3", "class 0", "1", f"100.0{SPACE}%"]]


def test_confusions_of_few_classes_are_a_matrix() -> None:
    table = tables.confusion_table(small())
    assert list(table.columns) == ["true \\ predicted", "A", "B", "C", "D"]
    assert table.is_matrix
    right, wrong = ("1", f"100.0{SPACE}%"), ("0", f"0.0{SPACE}%")
    assert values(table)["D"] == (right, wrong, wrong, wrong)
    assert values(table)["B"] == (wrong, right, wrong, wrong)


def test_means_are_rows_of_the_table_of_classes() -> None:
    whole = small()
    macro, weighted = tables.mean_rows(whole)
    assert macro[:5] == ["macro mean", "", *scores(whole, "macro")]
    assert weighted[:5] == ["weighted mean", "", *scores(whole, "weighted")]
    assert whole.one_label is not None
    assert macro[5:] == [
        whole.one_label.roc_auc_macro,
        whole.one_label.average_precision_macro,
    ]
    assert len(weighted) == len(tables.class_table(whole).columns)


def scores(whole: Evaluation, kind: str) -> list[Metric]:
    return [getattr(whole, f"{score}_{kind}") for score in ("precision", "recall", "f1")]


def test_calibration_coverage_threshold_and_slices() -> None:
    whole = small()
    assert whole.one_label is not None
    calibration = replace(whole.one_label.calibration, temperature=1.5, error_before=0.1)
    table = tables.calibration_table(calibration, whole.log_loss)
    assert "temperature 1.500" in table.caption
    assert shown(table)[1][0] == "The same of perfect probabilities, by chance"
    assert shown(table)[0] == ["Expected calibration error", f"10.00{SPACE}%", f"5.00{SPACE}%"]

    half = Coverage(0.7, 2, 0.5, Metric(1.0, (0.34, 1.0)))
    none = Coverage(0.99, 0, 0.0, None)
    rows = shown(tables.coverage_table((half, none), 4))
    assert rows[0] == [
        f"50.0{SPACE}%",
        "2",
        "0.7000",
        (f"100.0{SPACE}%", f"34.0{DASH}100.0"),
    ]
    assert rows[1][-1] == DASH

    chosen = tables.threshold_table(ChosenThreshold(0.9, half, none), "test", 4)
    assert [row[0] for row in chosen.rows] == ["validation, where it was chosen", "test"]
    assert "an accuracy of 90.0" in chosen.caption

    score = Metric(0.5, (0.1, 0.9))
    parts = (Slice("words", "1 to 9", 2, score), Slice("class", "A", 1, score))
    found = tables.slice_tables(parts, 4)
    assert [(way, table.caption, len(table.rows)) for way, table in found.items()] == [
        ("words", "Accuracy by words", 1),
        ("class", "Accuracy by class", 1),
    ]

    (place, *_) = bins = whole.one_label.calibration.reliability
    assert len(bins) == 1
    (row,) = tables.reliability_table(bins).rows
    assert row == (f"{place.low:.3f} to {place.high:.3f}", 4, place.confidence, place.accuracy)


def test_the_run_stands_among_its_baselines_by_accuracy() -> None:
    low, high = (Metric(value, (value, value)) for value in (0.25, 0.8))
    rows = tables.headline_rows(small(), (Baseline("m", low, low), Baseline("svm", high, high)))
    assert [name for name, _, _ in rows] == ["svm", "this run", "m"]
