"""Intervals of scores: one for each quantity, and none that calls what was not seen impossible."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pytest

from ranklet.evaluation.intervals import Metric, metrics_of_counts, wilson_interval
from ranklet.evaluation.label_sets import evaluate_label_sets
from ranklet.evaluation.metrics import average_vector, class_scores
from ranklet.evaluation.one_label import evaluate_one_label
from ranklet.evaluation.result import AVERAGE_SCORES, Evaluation
from ranklet.evaluation.score_intervals import LabelCounts, average_metrics
from ranklet.problem import MultiLabel

Z2 = NormalDist().inv_cdf(0.975) ** 2


def one_label(labels: np.ndarray, predictions: np.ndarray, classes: int) -> Evaluation:
    probabilities = np.eye(classes, dtype=np.float32)[predictions]
    names = [f"class {index}" for index in range(classes)]
    return evaluate_one_label(probabilities, labels, names, "test")


def of_confusion(confusion: np.ndarray) -> Evaluation:
    labels, predictions = np.divmod(np.repeat(np.arange(confusion.size), confusion.ravel()),
                                    len(confusion))  # fmt: skip
    return one_label(labels, predictions, len(confusion))


def label_sets(truth: np.ndarray, decided: np.ndarray) -> Evaluation:
    problem = MultiLabel((0.5,) * truth.shape[1])
    names = [f"label {index}" for index in range(truth.shape[1])]
    return evaluate_label_sets(decided.astype(np.float32), truth, problem, names, "test")


def figures(part: object) -> Iterator[tuple[str, Metric]]:
    """Every figure with an interval, however deep it lies."""
    for field in dataclasses.fields(part):  # type: ignore[arg-type]
        value = getattr(part, field.name)
        for entry in value if isinstance(value, tuple) else (value,):
            if isinstance(entry, Metric):
                yield field.name, entry
            elif dataclasses.is_dataclass(entry):
                yield from figures(entry)


def test_weighted_recall_is_the_accuracy_with_its_interval() -> None:
    whole = of_confusion(np.array([[30, 2, 1], [4, 50, 0], [0, 3, 10]]))
    assert whole.recall_weighted == whole.accuracy
    assert whole.accuracy.interval == wilson_interval(90, 100)


def test_weighted_recall_of_label_sets_is_the_micro_recall_with_its_interval() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((80, 4)) < 0.4).astype(np.int64)
    whole = label_sets(truth, truth ^ (random.random((80, 4)) < (0.2, 0.1, 0.1, 0.0)))
    assert whole.label_sets is not None
    assert whole.recall_weighted.value == pytest.approx(whole.label_sets.recall_micro.value)
    assert whole.recall_weighted.interval == pytest.approx(whole.label_sets.recall_micro.interval)


def test_without_an_error_no_interval_is_a_point() -> None:
    labels = np.repeat(np.arange(4), 10)
    truth = np.tile(np.eye(4, dtype=np.int64), (10, 1))
    for whole in (one_label(labels, labels, 4), label_sets(truth, truth)):
        shown = list(figures(whole))
        assert len(shown) >= 20
        for name, metric in shown:
            low, high = metric.interval
            assert low <= metric.value <= high
            assert low < high, f"{name}: {metric}"
        # By hand: ten rows of ten have Wilson's bound 10 / (10 + z^2); four classes in squares.
        off = Z2 / (10 + Z2)
        assert whole.classes[0].recall.interval == pytest.approx((1 - off, 1))
        assert whole.recall_macro.interval == pytest.approx((1 - off / 2, 1))


def test_f1_of_a_class_by_hand() -> None:
    whole = of_confusion(np.array([[6, 2], [1, 11]]))
    low, high = wilson_interval(6, 9)  # 6 hits among the 9 rows that are or were called class 0
    f1 = whole.classes[0].f1
    assert f1.value == pytest.approx(12 / 15)
    assert f1.interval == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_nothing_is_known_of_a_class_without_rows() -> None:
    whole = one_label(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), 3)
    never = whole.classes[2]
    assert never.recall == never.precision == never.f1 == Metric(0.0, (0.0, 1.0))
    assert whole.recall_macro.interval[1] < 1, "its 0 is a convention, which no rows change"


def test_agreement_goes_where_the_accuracy_goes() -> None:
    whole = of_confusion(np.array([[20, 5], [10, 15]]))  # the table of the textbooks on kappa
    assert whole.one_label is not None
    low, high = wilson_interval(35, 50)
    # Chance agrees in half of the rows, so kappa is 2 (accuracy - 1/2).
    assert whole.one_label.kappa.interval == pytest.approx((2 * low - 1, 2 * high - 1))
    matthews = whole.one_label.matthews
    at_low, at_high = ((bound - 0.5) / 0.2 * matthews.value for bound in (low, high))
    assert matthews.interval == pytest.approx((at_low, at_high))
    alone = one_label(np.zeros(5, np.int64), np.zeros(5, np.int64), 2).one_label
    assert alone is not None
    assert alone.kappa == alone.matthews == Metric(0.0, (-1.0, 1.0))


def test_intervals_cover_the_truth_where_errors_are_rare() -> None:
    cells = np.full((4, 4), 0.005 / 12) + np.eye(4) * (0.995 / 4 - 0.005 / 12)
    random, covered = np.random.default_rng(0), {"resampled": 0, "widened": 0}
    for seed in range(100):
        drawn = random.multinomial(160, cells.ravel()).reshape(4, 4)
        averages = metrics_of_counts(drawn, lambda c: average_vector(class_scores(c)), seed)
        resampled = dict(zip(AVERAGE_SCORES, averages, strict=True))
        counts = LabelCounts(np.diagonal(drawn), drawn.sum(1), drawn.sum(0))
        widened = average_metrics(counts, resampled, is_one_label=True)
        for kind, found in (("resampled", resampled), ("widened", widened)):
            bounds = (found[name].interval for name in AVERAGE_SCORES)
            covered[kind] += all(low <= 0.995 <= high for low, high in bounds)
    assert covered["widened"] > 93
    assert covered["resampled"] < 70, "in so many sets there is no error to draw"
