"""What the page of a comparison says of verdicts."""

from __future__ import annotations

import numpy as np

from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.verdicts import Contender, compare_contenders
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.report.comparison_page import render_comparison

EYE = np.eye(2, dtype=bool)
LABELS = np.repeat([1, 0], [50, 950])


def contender(name: str, given: np.ndarray) -> Contender:
    evaluation = evaluate_one_label(EYE[given].astype(np.float32), LABELS, ["a", "b"], "test")
    answers = RowAnswers("texts", EYE[LABELS], EYE[given])
    return Contender(name, {0: name}, {0: evaluation}, {0: answers}, 7, None, {})


def test_a_pair_that_macro_f1_alone_tells_counts_as_different() -> None:
    bold = np.where(np.arange(1_000) < 50, np.arange(1_000) < 40, np.arange(1_000) < 95)
    contenders = [contender("bold", bold.astype(int)), contender("careful", np.zeros(1_000, int))]
    page = render_comparison(compare_contenders(contenders, "test", False), [])
    assert '<b class="mixed">mixed</b> bold is 0.50 points below careful in accuracy' in page
    assert "but its macro F1 is 29.44 points above" in page
    assert "Where accuracy and macro F1 disagree" in page
    assert "1 of 1" in page
