from __future__ import annotations

import numpy as np
import pytest

from ranklet.data.audit.label_errors import (
    confident_joint,
    expected_counts,
    find_label_errors,
    knows_labels,
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


CLASSES = 4


def probabilities_of(truth: np.ndarray, sureness: float, seed: int) -> np.ndarray:
    """A view of some texts: surer of the true class the larger `sureness` is."""
    logits = np.random.default_rng(seed).standard_normal((len(truth), CLASSES))
    logits[np.arange(len(truth)), truth] += sureness
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True)


def mislabelled(truth: np.ndarray, share: float) -> np.ndarray:
    """A share of the labels moved to the next class."""
    given = truth.copy()
    wrong = np.random.default_rng(1).choice(len(truth), round(share * len(truth)), replace=False)
    given[wrong] = (truth[wrong] + 1) % CLASSES
    return given


TRUTH = np.random.default_rng(0).integers(0, CLASSES, 1_500)


def test_errors_are_found_among_hard_texts_and_their_share_is_said() -> None:
    given = mislabelled(TRUTH, 0.2)
    views = [probabilities_of(TRUTH, 2.5, seed) for seed in (2, 3, 4)]
    found = find_label_errors(given, views)
    is_wrong = (given != TRUTH)[found.rows]
    assert is_wrong.mean() > 0.85
    assert is_wrong.sum() > 0.6 * (given != TRUTH).sum()
    assert (found.suggested == TRUTH[found.rows])[is_wrong].mean() > 0.9
    assert found.share == pytest.approx(0.2, abs=0.05)
    assert found.interval[0] < 0.2 < found.interval[1]
    assert found.margin[0] < found.margin[-1] < 0


def test_hard_texts_with_right_labels_are_not_called_wrong() -> None:
    views = [probabilities_of(TRUTH, 1.0, seed) for seed in (2, 3, 4)]
    agreement = (np.mean(views, axis=0).argmax(axis=1) == TRUTH).mean()
    assert 0.5 < agreement < 0.9
    found = find_label_errors(TRUTH, views)
    assert found.share < 0.05
    assert len(found.rows) < 0.01 * len(TRUTH)


def test_a_share_that_is_known_decides_how_many_rows_are_named() -> None:
    given = mislabelled(TRUTH, 0.1)
    views = [probabilities_of(TRUTH, 2.0, seed) for seed in (2, 3)]
    few, many = (len(find_label_errors(given, views, share).rows) for share in (0.02, 0.3))
    assert few < many


def test_a_class_that_no_view_recognises_is_not_judged() -> None:
    view = probabilities_of(TRUTH, 2.5, 2)
    view[:, 3] *= 1e-3
    view /= view.sum(axis=1, keepdims=True)
    found = find_label_errors(TRUTH, [view])
    assert found.unknown == (3,)
    assert 3 not in TRUTH[found.rows]


def test_a_view_must_clearly_beat_the_most_frequent_class() -> None:
    labels = (np.arange(1_000) % 10 < 3).astype(int)
    nothing = np.tile([0.7, 0.3], (1_000, 1))
    assert not knows_labels(labels, nothing)
    # Its Brier score is clearly better than that of the frequencies, its answers are not.
    faint = np.where(labels[:, None] == 1, [0.6, 0.4], [0.75, 0.25])
    assert not knows_labels(labels, faint)
    assert knows_labels(labels, np.eye(2)[labels])


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
