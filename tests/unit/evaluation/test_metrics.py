"""Metrics: inputs that are refused, and losses of broken models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.errors import DataError
from ranklet.evaluation import metrics


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
