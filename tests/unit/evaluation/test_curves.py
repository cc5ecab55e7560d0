"""Curves: points by hand, thinning that keeps the ends, areas that are scikit-learn's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ranklet.errors import RunError
from ranklet.evaluation.curves import (
    LOWEST_LABELS,
    MOST_POINTS,
    Curves,
    confidence_bins,
    ranking_curves,
    selective_curve,
    thinned,
)
from ranklet.evaluation.problem_metrics import curves_of_probabilities
from ranklet.json_values import from_values, to_values
from ranklet.problem import MultiLabel, SingleLabel


def case(classes, rows=400, noise=1.0):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, rows)
    logits = noise * random.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += 1
    powers = np.exp(logits)
    probabilities = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    return probabilities, labels, [f"topic {index}" for index in range(classes)]


def test_points_by_hand():
    # By falling probability: yes, no, yes, no. Of two of each kind.
    yes = np.array([0.9, 0.8, 0.7, 0.1], dtype=np.float32)
    truth = np.array([1, 0, 1, 0], dtype=bool)
    found = ranking_curves(np.stack([yes, 1 - yes], 1), np.stack([truth, ~truth], 1), ["a", "b"])
    first, second = found.roc
    assert (first.label, first.x, first.y) == (
        "a",
        (0.0, 0.0, 0.5, 0.5, 1.0),
        (0.0, 0.5, 0.5, 1.0, 1.0),
    )
    # Three of the four pairs of yes and no are in order.
    assert first.area == second.area == 0.75
    first, _ = found.precision_recall
    # The first is right; with the third, two of three are.
    assert (first.x, first.y) == ((0.0, 0.5, 1.0), (1.0, 1.0, round(2 / 3, 6)))
    assert first.area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_thinning_keeps_the_ends_and_equal_distances():
    x, y = np.array([0, 0, 0, 0.5, 1.0]), np.array([0, 0.5, 1, 1, 1.0])
    assert [each.tolist() for each in thinned(x, y, 3)] == [[0, 0, 1], [0, 1, 1]]
    # As many as there are stay as they are.
    assert [each.tolist() for each in thinned(x, y, 5)] == [x.tolist(), y.tolist()]
    random = np.random.default_rng(0)
    x, y = np.sort(random.random(5_000)), np.sort(random.random(5_000))
    few = thinned(x, y)
    assert len(few[0]) <= MOST_POINTS
    for whole, kept in zip((x, y), few, strict=True):
        assert (kept[0], kept[-1]) == (whole[0], whole[-1])
        assert np.diff(kept).max() < 0.02


def test_areas_are_those_of_scikit_learn():
    probabilities, labels, names = case(3)
    found = ranking_curves(probabilities, labels[:, None] == np.arange(3), names)
    for curves, theirs in (
        (found.roc, roc_auc_score),
        (found.precision_recall, average_precision_score),
    ):
        wanted = [theirs(labels == place, probabilities[:, place]) for place in range(3)]
        areas = [curve.area for curve in curves]
        np.testing.assert_allclose(areas[:3], wanted, atol=1e-12)
        assert areas[3] == pytest.approx(np.mean(wanted), abs=1e-12)
        # A sabotaged twin: the other direction.
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(1 - np.array(areas[:3]), wanted, atol=1e-12)


def test_the_mean_lies_between_the_classes_and_is_taken_at_equal_places():
    probabilities, labels, names = case(3, rows=2_000)
    found = ranking_curves(probabilities, labels[:, None] == np.arange(3), names)
    for curves, place in ((found.roc, 0.3), (found.precision_recall, 0.7)):
        *own, mean = [np.interp(place, curve.x, curve.y) for curve in curves]
        assert curves[-1].label is None
        assert mean == pytest.approx(np.mean(own), abs=0.02)


def test_of_many_classes_the_lowest_are_kept():
    probabilities, labels, names = case(12)
    found = ranking_curves(probabilities, labels[:, None] == np.arange(12), names)
    areas = [roc_auc_score(labels == place, probabilities[:, place]) for place in range(12)]
    lowest = [names[place] for place in np.argsort(areas)[:LOWEST_LABELS]]
    assert [curve.label for curve in found.roc] == [*lowest, None]
    assert found.labels == 12


def test_a_class_without_others_has_no_curve():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1]], dtype=np.float32)
    found = ranking_curves(probabilities, np.array([[1, 0, 0], [1, 1, 0]], dtype=bool), "abc")
    assert [curve.label for curve in found.roc] == ["b"]
    none = ranking_curves(probabilities, np.ones((2, 3), dtype=bool), "abc")
    assert none == Curves(0, (), ())


def test_the_surest_rows_come_first():
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    found = selective_curve(confidence, np.array([True, True, False, False]))
    assert [(each.rows, each.coverage, each.accuracy.value) for each in found] == [
        (4, 1.0, 0.5),
        (3, 0.75, 2 / 3),
        (2, 0.5, 1.0),
        (1, 0.25, 1.0),
    ]


def test_confidence_is_counted_in_twenty_bins():
    bins = confidence_bins(np.array([0.5, 0.51, 0.99, 1.0]), np.array([True, False, True, True]))
    assert len(bins) == 20
    filled = {(each.low, each.high, each.right, each.wrong) for each in bins if each.right}
    assert filled == {(0.5, 0.55, 1, 1), (0.95, 1.0, 2, 0)}


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_json_gives_curves_back(classes):
    probabilities, labels, names = case(classes)
    found = curves_of_probabilities(SingleLabel(), probabilities, labels, names)
    assert found.coverage
    assert found.confidence
    assert from_values(Curves, json.loads(json.dumps(to_values(found))), "f", "r") == found
    values = {"labels": "x", "roc": [], "precision_recall": []}
    with pytest.raises(RunError, match=r"^curves\.json: labels: not as written; train again"):
        from_values(Curves, values, "curves.json", "train again")


def test_several_labels_a_text_have_ranking_curves_only():
    probabilities, labels, names = case(3)
    sets = (labels[:, None] == np.arange(3)).astype(np.int64)
    found = curves_of_probabilities(MultiLabel((0.5, 0.5, 0.5)), probabilities, sets, names)
    assert (found.coverage, found.confidence) == ((), ())
    assert found.roc == curves_of_probabilities(SingleLabel(), probabilities, labels, names).roc
