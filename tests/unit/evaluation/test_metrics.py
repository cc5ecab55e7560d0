"""Intervals: what the bootstrap promises, and inputs that are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.errors import DataError
from ranklet.evaluation import metrics


def f1_and_accuracy(confusion):
    f1 = metrics.macro_average(metrics.class_scores(confusion).f1)
    return np.stack([f1, metrics.accuracy(confusion)], axis=-1)


def draw_rows(random, cells, rows):
    classes = len(cells)
    drawn = random.multinomial(rows, cells.ravel()).reshape(classes, classes)
    return drawn.astype(np.int64)


CELLS = np.array([[0.30, 0.02, 0.01], [0.03, 0.28, 0.02], [0.04, 0.06, 0.24]])


def test_resampling_the_matrix_is_resampling_the_rows():
    random = np.random.default_rng(0)
    labels, predictions = np.divmod(random.choice(9, 600, p=CELLS.ravel()), 3)
    confusion = metrics.confusion_matrix(labels, predictions, 3)
    low, high = metrics.bootstrap_intervals(confusion, f1_and_accuracy, seed=1, resamples=20_000)

    picked = random.integers(0, 600, (20_000, 600))
    cells = labels[picked] * 3 + predictions[picked] + 9 * np.arange(20_000)[:, None]
    matrices = np.bincount(cells.ravel(), minlength=9 * 20_000).reshape(-1, 3, 3)
    by_rows = np.quantile(f1_and_accuracy(matrices), [0.025, 0.975], axis=0)
    # One row more or less is 0.17 % of 600.
    np.testing.assert_allclose([low, high], by_rows, atol=0.002)


def test_bootstrap_intervals_cover_the_truth():
    random = np.random.default_rng(3)
    truth = f1_and_accuracy((CELLS * 1_000_000).astype(np.int64))
    covered = np.zeros(2)
    for seed in range(300):
        confusion = draw_rows(random, CELLS, 500)
        low, high = metrics.bootstrap_intervals(confusion, f1_and_accuracy, seed, resamples=1_000)
        covered += (low <= truth) & (truth <= high)
    # 95 % of 300, and three standard errors of that.
    assert (abs(covered / 300 - 0.95) < 0.04).all()


@pytest.mark.parametrize(("rows", "share"), [(160, 0.9), (640, 0.92), (7600, 0.92), (640, 0.995)])
def test_wilson_covers_as_promised(rows, share):
    def chance(hits):
        ways = math.lgamma(rows + 1) - math.lgamma(hits + 1) - math.lgamma(rows - hits + 1)
        return math.exp(ways + hits * math.log(share) + (rows - hits) * math.log1p(-share))

    inside = [
        chance(hits)
        for hits in range(rows + 1)
        if metrics.wilson_interval(hits, rows)[0] <= share <= metrics.wilson_interval(hits, rows)[1]
    ]
    assert 0.93 < sum(inside) < 0.975


def test_wilson_gives_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert metrics.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert metrics.wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert metrics.wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert metrics.wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_blocks_of_resamples_do_not_change_the_intervals(monkeypatch):
    confusion = draw_rows(np.random.default_rng(0), CELLS, 200)
    at_once = metrics.bootstrap_intervals(confusion, f1_and_accuracy, seed=5)
    monkeypatch.setattr(metrics, "_CELLS_PER_BLOCK", 63)
    in_blocks = metrics.bootstrap_intervals(confusion, f1_and_accuracy, seed=5)
    np.testing.assert_array_equal(at_once, in_blocks)


def test_resamples_keep_the_rows_and_the_empty_cells():
    confusion = np.array([[5, 0, 2], [0, 9, 0], [1, 0, 0]])
    sums = []

    def remember(drawn):
        sums.append((set(drawn.sum((1, 2))), drawn[:, confusion == 0].sum()))
        return metrics.accuracy(drawn)[:, None]

    metrics.bootstrap_intervals(confusion, remember, seed=0)
    assert sums == [({17}, 0)]


@pytest.mark.parametrize(
    ("labels", "predictions", "told"),
    [
        ([0, 1, 4], [0, 1, 2], "labels: class index 4 at row 2 of 3 is outside 0..2"),
        ([0, -1, 0], [0, 1, 2], "labels: class index -1 at row 1"),
        ([0, 1, 2], [3, 1, 2], "predictions: class index 3 at row 0"),
    ],
)
def test_indices_outside_the_classes_are_refused(labels, predictions, told):
    with pytest.raises(DataError, match=told):
        metrics.confusion_matrix(np.array(labels), np.array(predictions), 3)


def test_a_saturated_softmax_costs_a_finite_loss_and_nan_stays_nan():
    wrong = np.array([[1.0, 0.0]], dtype=np.float32)
    assert metrics.log_loss(wrong, np.array([1])) == pytest.approx(15.94, abs=0.01)
    assert math.isnan(metrics.log_loss(np.full((1, 2), np.nan, np.float32), np.array([1])))
