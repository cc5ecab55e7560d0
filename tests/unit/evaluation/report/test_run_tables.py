"""The tables of a run's page beside those of its evaluations."""

from __future__ import annotations

from typing import Any

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.evaluation.report import run_tables
from ranklet.evaluation.report.table import Share


def record(kind: str, step: int, **values: float) -> dict[str, Any]:
    return {"kind": kind, "step": step, "epoch": step / 2, **values}


def test_the_training_table_averages_what_lies_between_validations() -> None:
    table = run_tables.training_table(
        [
            record("train", 1, loss=1.0),
            record("train", 2, loss=0.5),
            record("validation", 2, loss=0.7, accuracy=0.81, macro_f1=0.8),
            record("train", 3, loss=0.3),
            record("train", 4, loss=0.2),
            record("validation", 4, loss=0.6, accuracy=0.91, macro_f1=0.9),
            record("train", 5, loss=0.1),
        ]
    )
    assert [list(row) for row in table.rows] == [
        ["1", 2, 0.75, 0.7, Share(0.81, 2), Share(0.8, 2)],
        ["2", 4, 0.25, 0.6, Share(0.91, 2), Share(0.9, 2)],
        ["2.5", 5, 0.1, None, None, None],
    ]


def test_the_budget_table_ends_with_the_sum_of_its_rows() -> None:
    rows = (PlanRow("a.b", "lora", 4, (3, 4), 28), PlanRow("head", "head", None, (4, 2), 8))
    table = run_tables.budget_table(ParameterPlan(rows, 40))
    assert table.rows == [("a.b", "lora", 4, 28), ("head", "head", None, 8)]
    assert table.footer == ("total", "", "", 36)


def test_a_split_that_was_not_tokenized_has_no_share_of_cut_texts() -> None:
    rows = {"train": 9, "test": 3}
    assert run_tables.split_table(rows, {}).columns == ("split", "rows")
    table = run_tables.split_table(rows, {"train": 0.1})
    assert table.rows == [("train", 9, Share(0.1, 2)), ("test", 3, None)]
