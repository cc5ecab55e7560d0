"""Baselines: figures by hand, and a sabotaged one that is told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ranklet.evaluation import baselines
from ranklet.evaluation.baselines import (
    CHARACTERS,
    MAJORITY,
    PROBE,
    WORDS,
    evaluate_baselines,
)
from ranklet.evaluation.one_label import evaluate_one_label

TEXTS = ["a goal was scored", "the striker scored", "rates fell", "the bank raised rates", "goal"]
LABELS = np.array([0, 0, 1, 1, 0])
NEW = ["they scored a goal", "the bank cut rates", "a goal", "goal"]


def accuracies(
    labels: np.ndarray, true: np.ndarray, texts: Sequence[str] = TEXTS
) -> dict[str, float]:
    evaluated = evaluate_baselines(texts, labels, {"test": (NEW, true)}, 2)
    return {baseline.name: baseline.accuracy.value for baseline in evaluated["test"]}


def test_the_majority_is_right_as_often_as_its_label_occurs() -> None:
    assert accuracies(LABELS, np.array([0, 1, 0, 1]))[MAJORITY] == 0.5


@pytest.mark.parametrize("name", [WORDS, CHARACTERS])
def test_words_are_learned_and_wrong_labels_are_too(name: str) -> None:
    right = np.array([0, 1, 0, 0])
    assert accuracies(LABELS, right)[name] == 1.0
    assert accuracies(1 - LABELS, right)[name] == 0.0


def test_only_characters_see_through_spelling() -> None:
    new = ["strikers", "ratess", "goals", "scores"]
    evaluated = evaluate_baselines(TEXTS, LABELS, {"test": (new, np.array([0, 1, 0, 0]))}, 2)
    by_name = {baseline.name: baseline.accuracy.value for baseline in evaluated["test"]}
    assert by_name[CHARACTERS] == 1.0
    assert by_name[WORDS] < 1.0


def test_macro_f1_of_the_majority_by_hand() -> None:
    evaluated = evaluate_baselines(TEXTS, LABELS, {"test": (NEW, np.array([0, 1, 0, 0]))}, 2)
    # Three of four right: F1 of Sports is 6/7, that of Money 0.
    assert evaluated["test"][0].f1_macro.value == pytest.approx(3 / 7)


def test_figures_are_those_of_an_evaluation() -> None:
    random = np.random.default_rng(0)
    true = random.integers(0, 5, 600)
    logits = random.normal(size=(600, 5)) + 2 * np.eye(5)[true]
    texts = [str(label) for label in true]
    splits = {"test": (texts, true), "validation": (texts, true)}
    evaluated = evaluate_baselines(texts, true, splits, 5, probe={"test": logits})
    probe = evaluated["test"][-1]
    assert probe.name == PROBE
    assert PROBE not in {baseline.name for baseline in evaluated["validation"]}
    answers = np.eye(5, dtype=np.float32)[logits.argmax(1)]
    expected = evaluate_one_label(answers, true, list("abcde"), "test")
    assert probe.accuracy == expected.accuracy
    assert probe.f1_macro.value == pytest.approx(expected.f1_macro.value)
    assert probe.f1_macro.interval == pytest.approx(expected.f1_macro.interval, abs=0.01)


def test_several_labels_are_compared_by_exact_match() -> None:
    labels = np.stack([LABELS == 0, LABELS == 1], axis=1).astype(np.int64)
    true = np.array([[1, 0], [0, 1], [1, 0], [1, 1]])
    assert accuracies(labels, true) == {MAJORITY: 0.5, WORDS: 0.75, CHARACTERS: 0.75}
    logits = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    evaluated = evaluate_baselines(TEXTS, labels, {"test": (NEW, true)}, 2, probe={"test": logits})
    assert evaluated["test"][-1].accuracy.value == 0.75


def test_texts_without_words_leave_the_majority() -> None:
    assert set(accuracies(LABELS, LABELS[:4], ["!", "?", "…", "-", "."])) == {MAJORITY}


def test_of_very_many_characters_some_texts_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(baselines, "MOST_CHARACTERS", 400)
    count = baselines.count_character_grams

    def counted(texts: Sequence[str]) -> object:
        read.append(sum(map(len, texts)))
        return count(texts)

    monkeypatch.setattr(baselines, "count_character_grams", counted)
    accuracies(np.tile(LABELS, 100), LABELS[:4], TEXTS * 100)
    assert 400 <= read[0] < 400 + max(map(len, TEXTS))
