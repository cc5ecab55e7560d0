"""From logits to labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ranklet.problem import MultiLabel, SingleLabel, choose_problem

LOGITS = torch.log(torch.tensor([[4.0, 1.0], [0.25, 1.0]]))
NAMES = ("a", "b")


def test_one_label_a_text() -> None:
    problem = SingleLabel()
    probabilities = problem.probabilities(LOGITS).numpy()
    assert probabilities == pytest.approx(np.array([[0.8, 0.2], [0.2, 0.8]]))
    assert problem.answers(probabilities, NAMES) == ["a", "b"]


def test_an_exponent_leaves_labels_and_ties_as_they_are() -> None:
    logits = torch.tensor([[2.0, 0.0, -2.0], [1.0, 1.0, 0.0]])
    probabilities = SingleLabel(temperature=2.0, exponent=2.0).probabilities(logits)
    expected = torch.tensor([[0.0, -1.0, -4.0], [0.0, 0.0, -0.25]]).softmax(-1)
    torch.testing.assert_close(probabilities, expected)


def test_any_number_of_labels_a_text() -> None:
    problem = MultiLabel((0.5, 0.6))
    probabilities = problem.probabilities(LOGITS).numpy()
    assert probabilities == pytest.approx(np.array([[0.8, 0.5], [0.2, 0.5]]))
    assert problem.answers(probabilities, NAMES) == [("a",), ()]
    assert MultiLabel((0.1, 0.5)).answers(probabilities, NAMES) == [("a", "b"), ("a", "b")]


def test_a_threshold_between_two_float32_neighbours_tells_them_apart() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    problem = MultiLabel(((float(low) + float(high)) / 2,))
    assert problem.decide(np.array([[low], [high]])).tolist() == [[False], [True]]


def test_what_a_classifier_answers_is_chosen_by_name() -> None:
    assert choose_problem("single_label_classification", 3) == SingleLabel()
    assert choose_problem("multi_label_classification", 2) == MultiLabel((0.5, 0.5))
    assert choose_problem("multi_label_classification", 2, [0.1, 0.2]) == MultiLabel((0.1, 0.2))
