"""Results in a REPL, printed and in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ranklet.budget.plan import ParameterPlan, PlanRow
from ranklet.data.audit.result import Audit, CopyCounts, Finding
from ranklet.display import MOST_ROWS, Display
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.run.folder import Run

ODD = "<script>alert('a & b')</script>"


def test_a_table_is_aligned_and_escaped() -> None:
    shown = Display("Two things", ("name", "size"), [("a", "1"), (ODD, "1,000")], ("so be it",))
    assert shown.line() == "<Two things>"
    first, second, third = shown.text().splitlines()[2:5]
    assert len(first) == len(second) == len(third)
    assert shown.text().splitlines()[-1] == "so be it"
    assert "&lt;script&gt;alert(&#x27;a &amp; b&#x27;)" in shown.html()
    assert "<script>" not in shown.html()
    assert shown.html().count("<tr>") == 3


def test_a_long_table_is_cut_and_says_so() -> None:
    shown = Display("many", ("row",), [(str(row),) for row in range(MOST_ROWS + 5)])
    assert shown.text().splitlines()[-1] == "and 5 more"
    assert "and 5 more" in shown.html()


def test_an_evaluation_says_its_figure_in_one_line() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], dtype=np.float32)
    found = evaluate_one_label(probabilities, np.array([0, 1, 1]), ["a", ODD], "test")
    assert repr(found).startswith("<Evaluation of test: accuracy 0.6667 (")
    assert "\n" not in repr(found)
    assert str(found).splitlines()[2].split() == ["label", "precision", "recall", "f1", "texts"]
    assert "<script>" not in found._repr_html_()
    assert "<table>" in found._repr_html_()


def test_a_plan_an_estimate_an_audit_and_a_run_say_theirs(tmp_path: Path) -> None:
    plan = ParameterPlan((PlanRow("classifier", "head", None, (16, 2), 34),), 100)
    assert repr(plan) == "<ParameterPlan: 34 of at most 100 parameters>"
    assert "classifier" in str(plan)
    metric = Metric(0.9, (0.8, 1.0))
    estimate = Estimate(0.75, (0.7, 0.8), 12, metric, 9, {"confidence": 0.75}, "too far")
    assert repr(estimate) == "<Estimate: accuracy 0.7500 (0.7000 to 0.8000) expected on 12 texts>"
    assert "warning: too far" in str(estimate)
    finding = Finding("label error", "train", 3, None, None, "", "a")
    audit = Audit((), 128, None, CopyCounts(1, 0, 0), None, None, None, (finding, finding))
    assert "duplicates found" in repr(audit)
    assert str(audit).splitlines()[-1].split() == ["label", "error", "train", "2"]
    assert repr(Run(tmp_path)) == f"<Run {tmp_path}, not finished>"
    (tmp_path / "certificate.json").write_text("{}")
    assert "certificate.json" in Run(tmp_path)._repr_html_()
    for result in (plan, estimate, audit, Run(tmp_path)):
        assert result._repr_html_().startswith("<table>")
