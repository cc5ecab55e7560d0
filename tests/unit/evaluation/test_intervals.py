"""Intervals: what the bootstrap and Wilson's promise, and how a figure is written with its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.evaluation import intervals, metrics
from ranklet.evaluation.intervals import Metric, bootstrap_intervals, wilson_interval


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
    low, high = bootstrap_intervals(confusion, f1_and_accuracy, seed=1, resamples=20_000)

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
        low, high = bootstrap_intervals(confusion, f1_and_accuracy, seed, resamples=1_000)
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
        if wilson_interval(hits, rows)[0] <= share <= wilson_interval(hits, rows)[1]
    ]
    assert 0.93 < sum(inside) < 0.975


def test_wilson_gives_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_blocks_of_resamples_do_not_change_the_intervals(monkeypatch):
    confusion = draw_rows(np.random.default_rng(0), CELLS, 200)
    at_once = bootstrap_intervals(confusion, f1_and_accuracy, seed=5)
    monkeypatch.setattr(intervals, "_CELLS_PER_BLOCK", 63)
    in_blocks = bootstrap_intervals(confusion, f1_and_accuracy, seed=5)
    np.testing.assert_array_equal(at_once, in_blocks)


def test_resamples_keep_the_rows_and_the_empty_cells():
    confusion = np.array([[5, 0, 2], [0, 9, 0], [1, 0, 0]])
    sums = []

    def remember(drawn):
        sums.append((set(drawn.sum((1, 2))), drawn[:, confusion == 0].sum()))
        return metrics.accuracy(drawn)[:, None]

    bootstrap_intervals(confusion, remember, seed=0)
    assert sums == [({17}, 0)]


def test_a_figure_is_written_with_its_interval() -> None:
    metric = Metric(0.975, (0.9, 1.0))
    assert (f"{metric:.1%}", f"{metric:+.2f}") == ("97.5% [90.0%, 100.0%]", "+0.97 [+0.90, +1.00]")
    assert (str(metric), repr(metric)) == (f"{metric:.4f}", "Metric(0.9750 [0.9000, 1.0000])")
