from __future__ import annotations

import numpy as np
import pytest

from ranklet.data.audit.label_errors import (
    confident_joint,
    expected_counts,
    find_label_errors,
    neighbour_probabilities,
    out_of_sample_probabilities,
    pruned,
    word_view,
)

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
FIRST = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.2, 0.3, 0.6])
PROBABILITIES = np.stack([FIRST, 1 - FIRST], axis=1)
# Thresholds: (0.9 + 0.8 + 0.7 + 0.2) / 4 = 0.65 and (0.9 + 0.8 + 0.7 + 0.4) / 4 = 0.7.


def test_the_confident_joint_by_hand() -> None:
    # Row 3 is confidently of class 1 (0.8); row 7 (0.6 and 0.4) of none.
    assert confident_joint(LABELS, PROBABILITIES).tolist() == [[3, 1], [0, 3]]


def test_counts_are_scaled_to_the_classes() -> None:
    joint = np.array([[3, 1], [0, 3]])
    assert expected_counts(LABELS, joint).tolist() == [[3, 1], [0, 4]]
    assert expected_counts(LABELS, np.array([[0, 0], [1, 1]])).tolist() == [[0, 0], [2, 2]]


def test_so_many_are_pruned_as_the_joint_says() -> None:
    assert np.flatnonzero(pruned(LABELS, PROBABILITIES)).tolist() == [3]


def test_a_class_without_rows_has_nobody_confident_of_it() -> None:
    three = np.concatenate([PROBABILITIES, np.zeros((8, 1))], axis=1)
    assert confident_joint(LABELS, three).tolist() == [[3, 1, 0], [0, 3, 0], [0, 0, 0]]
    assert np.flatnonzero(pruned(LABELS, three)).tolist() == [3]


def test_errors_carry_label_margin_and_noise() -> None:
    found = find_label_errors(LABELS, [PROBABILITIES])
    assert (found.rows.tolist(), found.suggested.tolist()) == ([3], [1])
    assert found.margin == pytest.approx([0.2 - 0.8])
    assert found.noise == pytest.approx(1 / 8)


def test_every_view_must_agree() -> None:
    # The second view takes row 0 for wrong in place of row 3.
    other = PROBABILITIES.copy()
    other[[0, 3]] = other[[3, 0]]
    assert find_label_errors(LABELS, [PROBABILITIES, other]).rows.tolist() == []
    assert find_label_errors(LABELS, [PROBABILITIES, PROBABILITIES]).rows.tolist() == [3]


def test_the_most_certain_come_first() -> None:
    first = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 0.1, 0.3, 0.3, 0.3, 0.3])
    labels = np.array([0] * 6 + [1] * 4)
    found = find_label_errors(labels, [np.stack([first, 1 - first], axis=1)])
    assert found.rows.tolist() == [5, 4]


def test_planted_errors_are_found_by_words_and_by_states() -> None:
    words = (["goal", "match", "coach"], ["treaty", "border", "envoy"])
    labels = np.arange(60) % 2
    texts = [f"{words[each][row % 3]} {words[each][row % 2]}" for row, each in enumerate(labels)]
    given = labels.copy()
    given[[4, 17]] = 1 - given[[4, 17]]
    features = word_view(texts)
    for view in (features, features.toarray()):
        found = find_label_errors(given, [out_of_sample_probabilities(view, given)])
        assert sorted(found.rows.tolist()) == [4, 17]
        assert found.suggested.tolist() == labels[found.rows].tolist()


def test_neighbours_of_the_other_folds_vote_by_angle() -> None:
    # Two directions of any length; a row labelled against its direction has no neighbour like it.
    lengths = np.linspace(1, 9, 80, dtype=np.float32)
    labels = np.arange(80) % 2
    states = np.eye(2, dtype=np.float32)[labels] * lengths[:, None]
    given = labels.copy()
    given[10] = 1
    found = neighbour_probabilities(states, given)
    assert found.sum(axis=1) == pytest.approx(np.ones(80))
    assert found[10, 0] == 1.0
    # Each of them has 30 nearest among 32 of its own direction, one of which may be row 10.
    assert found[np.arange(80), labels].min() >= 29 / 30


def test_a_label_that_is_still_preferred_is_no_error() -> None:
    # Row 3 falls short of its class and reaches the low mean of the other, so it is pruned; yet its
    # own label is the more probable one.
    labels = np.array([0, 0, 0, 0, 1, 1])
    first = np.array([0.95, 0.95, 0.95, 0.55, 0.6, 0.6])
    view = np.stack([first, 1 - first], axis=1)
    assert np.flatnonzero(pruned(labels, view)).tolist() == [3]
    assert find_label_errors(labels, [view, view]).rows.tolist() == []
