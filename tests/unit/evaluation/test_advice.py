"""What a finished training suggests."""

from __future__ import annotations

import numpy as np
import pytest

from ranklet.evaluation.advice import advise, stand
from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.data_description import DataDescription, Lengths
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.problem_metrics import evaluate_probabilities
from ranklet.evaluation.result import Evaluation
from ranklet.problem import SingleLabel

NONE = Lengths((0,), {}, {})


def evaluation(predicted: list[int]) -> Evaluation:
    labels = np.array([0] * 10 + [1] * 10)
    probabilities = np.eye(2, dtype=np.float32)[predicted]
    return evaluate_probabilities(SingleLabel(), probabilities, labels, ("a", "b"), "validation", 0)


GOOD = evaluation([0] * 10 + [1] * 10)
MISSED = evaluation([0] * 10 + [0, 0] + [1] * 8)
WEAK = evaluation([0] * 10 + [0, 0, 0] + [1] * 7)


def described(**rows: int) -> DataDescription:
    return DataDescription(NONE, NONE, tuple(rows), {}, {"train": tuple(rows.values())})


def baseline(accuracy: float, low: float, high: float) -> Baseline:
    return Baseline("words", Metric(accuracy, (low, high)), Metric(accuracy, None))


@pytest.mark.parametrize(
    ("against", "says"),
    [
        (baseline(0.5, 0.4, 0.6), "above the simple baselines on validation, +40.0 points: words"),
        (baseline(0.8, 0.7, 0.95), "not clearly above the simple baselines on validation, +10.0"),
        (
            baseline(0.95, 0.8, 1.0),
            "below a simple baseline on validation by 5.0 points: words 0.95",
        ),
    ],
)
def test_where_it_stands(against: Baseline, says: str) -> None:
    line = stand(MISSED, [against])
    assert line is not None
    assert line.startswith(says)


def test_without_baselines_nothing_is_said() -> None:
    assert stand(GOOD, []) is None


def test_nothing_to_advise() -> None:
    assert advise(GOOD, described(a=5, b=5), truncated=0.0, doubted=0, max_length=128) == []


def test_a_missed_label_with_few_texts_comes_first() -> None:
    lines = advise(MISSED, described(a=900, b=12), truncated=0.3, doubted=3, max_length=128)
    assert [line.partition(":")[0] for line in lines] == [
        "more texts of 'b'", "wrong labels", "longer texts",
    ]  # fmt: skip
    assert "2 of its 10 validation texts were missed, and it has 12 for training" in lines[0]
    assert "3 of 20 validation labels" in lines[1]
    assert "--set data.max_length=256" in lines[2]


def test_a_missed_label_with_many_texts_needs_no_more() -> None:
    assert advise(MISSED, described(a=900, b=900), truncated=0.0, doubted=0, max_length=128) == []


def test_a_weak_classifier_doubts_no_labels() -> None:
    assert advise(WEAK, described(a=900, b=900), truncated=0.0, doubted=9, max_length=128) == []
