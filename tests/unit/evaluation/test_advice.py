"""What a finished training suggests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ranklet.evaluation.advice import Circumstances, advise, stand, warn
from ranklet.evaluation.baselines import CHARACTERS, MAJORITY, PROBE, WORDS, Baseline
from ranklet.evaluation.data_description import DataDescription, Lengths
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.problem_metrics import evaluate_probabilities
from ranklet.evaluation.result import Evaluation
from ranklet.problem import MultiLabel, SingleLabel

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
    return Baseline("words", Metric(accuracy, (low, high)), Metric(0.1, (0.0, 0.2)))


@pytest.mark.parametrize(
    ("against", "says"),
    [
        (baseline(0.5, 0.4, 0.6), "above the simple baselines on validation, +40.0 points: acc"),
        (baseline(0.8, 0.7, 0.95), "not told apart from words on validation, +10.0 points: "),
        (baseline(0.95, 0.8, 1.0), "not told apart from words on validation, -5.0 points: "),
        (
            baseline(0.95, 0.92, 1.0),
            "below a simple baseline on validation by 5.0 points: accuracy words 0.9500",
        ),
    ],
)
def test_where_it_stands(against: Baseline, says: str) -> None:
    line = stand(MISSED, [against])
    assert line is not None
    assert line.startswith(says)


def test_several_labels_stand_by_macro_f1() -> None:
    labels = np.array([[1, 0], [1, 1]] * 10)
    problem = MultiLabel((0.5, 0.5))
    answers = np.array([[1, 1], [1, 1]] * 10, dtype=np.float32)
    whole = evaluate_probabilities(problem, answers, labels, ("a", "b"), "test", 0)
    low, high = Metric(0.9, (0.85, 0.95)), Metric(0.1, (0.05, 0.15))
    line = stand(whole, [Baseline("words", low, high)])
    assert line == "above the simple baselines on test, +73.3 points: macro F1 words 0.1000"


USUAL = Circumstances(
    unknown=0.0,
    truncated=0.0,
    max_length=128,
    tokens_per_word=1.3,
    texts_per_label=100,
    still_learning=False,
    longer="training.epochs=10",
    slower="training.learning_rate=0.0005",
)


def better(name: str) -> Baseline:
    return Baseline(name, Metric(0.98, (0.93, 1.0)), Metric(0.98, (0.93, 1.0)))


@pytest.mark.parametrize(
    ("name", "known", "reason", "remedy"),
    [
        (PROBE, {"unknown": 0.3}, "30% of the tokens are unknown", "encoder=xlm-roberta-base"),
        (WORDS, {"truncated": 0.4}, "40% of the training texts were cut", "data.max_length=256"),
        (
            CHARACTERS,
            {"truncated": 0.4, "max_length": 512},
            "cut at 512 tokens",
            "data.long_texts=windows",
        ),
        (WORDS, {"tokens_per_word": 2.3}, "into 2.3 tokens", "encoder=xlm-roberta-base"),
        (PROBE, {"still_learning": True}, "still falling", "training.epochs=10"),
        (PROBE, {"texts_per_label": 8}, "a label has 8 training texts", "ranklet audit"),
        (PROBE, {"truncated": 0.4}, "lost some of what the encoder knew", "learning_rate=0.0005"),
        (MAJORITY, {}, "say little of the labels", "ranklet audit"),
        (WORDS, {}, "sees past what the words tell", "encoder=roberta-base"),
    ],
)
def test_why_a_run_does_not_beat_them(
    name: str, known: dict[str, Any], reason: str, remedy: str
) -> None:
    line = warn(MISSED, [baseline(0.5, 0.4, 0.6), better(name)], replace(USUAL, **known))
    assert line is not None
    assert line.startswith(f"{name} is better by 8.0 points of accuracy on validation, likely beca")
    assert reason in line
    assert line.index(reason) < line.index(remedy)
    assert "\n" not in line


def test_a_difference_within_its_interval_has_no_reason() -> None:
    line = warn(MISSED, [baseline(0.95, 0.8, 1.0)], replace(USUAL, still_learning=True))
    assert line is not None
    assert "within the interval of 20 texts: not told apart" in line
    assert "likely" not in line


def test_a_run_above_them_is_warned_about_rare_labels_alone() -> None:
    assert warn(MISSED, [], USUAL) is None
    assert warn(MISSED, [baseline(0.5, 0.4, 0.6)], USUAL) is None
    rare = Baseline("words", Metric(0.5, (0.4, 0.6)), Metric(0.95, (0.93, 0.97)))
    line = warn(MISSED, [rare], USUAL)
    assert line is not None
    assert "points of macro F1 on validation alone" in line
    assert "--set training.metric=macro_f1" in line


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
