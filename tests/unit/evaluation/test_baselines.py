"""Baselines: figures by hand, and a sabotaged one that is told apart."""

import numpy as np
import pytest

from ranklet.evaluation.baselines import (
    LINEAR,
    MAJORITY,
    evaluate_baselines,
)

TEXTS = ["a goal was scored", "the striker scored", "rates fell", "the bank raised rates", "goal"]
LABELS = np.array([0, 0, 1, 1, 0])
HELD = ["they scored a goal", "the bank cut rates", "a goal", "goal"]


def judged(labels: np.ndarray, held: np.ndarray, texts: list[str] = TEXTS) -> dict[str, float]:
    problem = "single_label_classification" if labels.ndim == 1 else "multi_label_classification"
    found = evaluate_baselines(texts, labels, {"test": (HELD, held)}, ("Sports", "Money"), problem)
    return {each.name: each.accuracy.value for each in found["test"]}


def test_the_majority_is_right_as_often_as_its_label_occurs() -> None:
    assert judged(LABELS, np.array([0, 1, 0, 1]))[MAJORITY] == 0.5


def test_words_are_learned_and_wrong_labels_are_too() -> None:
    right = np.array([0, 1, 0, 0])
    assert judged(LABELS, right)[LINEAR] == 1.0
    assert judged(1 - LABELS, right)[LINEAR] == 0.0


def test_macro_f1_of_the_majority_by_hand() -> None:
    found = evaluate_baselines(
        TEXTS,
        LABELS,
        {"test": (HELD, np.array([0, 1, 0, 0]))},
        ("Sports", "Money"),
        "single_label_classification",
    )
    # Three of four right: F1 of Sports is 6/7, that of Money 0.
    assert found["test"][0].f1_macro.value == pytest.approx(3 / 7)


def test_several_labels_are_judged_by_exact_match() -> None:
    labels = np.stack([LABELS == 0, LABELS == 1], axis=1).astype(np.int64)
    held = np.array([[1, 0], [0, 1], [1, 0], [1, 1]])
    assert judged(labels, held) == {MAJORITY: 0.5, LINEAR: 0.75}


def test_texts_without_words_leave_the_majority() -> None:
    assert set(judged(LABELS, LABELS[:4], ["!", "?", "…", "-", "."])) == {MAJORITY}
