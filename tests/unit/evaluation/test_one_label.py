"""Evaluation of one label a text: what is refused, and the losses of a diverged model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ranklet.errors import DataError
from ranklet.evaluation.one_label import evaluate_one_label, one_label_metrics

PROBABILITIES = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.7, 0.3]], dtype=np.float32)
LABELS = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("probabilities", "labels", "told"),
    [
        (PROBABILITIES[:0], LABELS[:0], "no rows"),
        (PROBABILITIES[:2], LABELS, r"shape \(2, 2\)"),
        (PROBABILITIES[:, :1], LABELS, r"shape \(4, 1\)"),
        (PROBABILITIES, LABELS[:, None], r"shape \(4, 1\)"),
        (np.where(PROBABILITIES > 0.85, np.nan, PROBABILITIES), LABELS, "1 rows .first: row 2"),
        (PROBABILITIES, LABELS + 1, "class index 2"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(probabilities, labels, told):
    with pytest.raises(DataError, match=told):
        evaluate_one_label(probabilities, labels, ["no", "yes"], "test")


def test_a_diverged_model_shows_in_the_loss_of_the_training_loop():
    broken = np.full_like(PROBABILITIES, np.nan)
    assert math.isnan(one_label_metrics(broken, LABELS)["loss"])
