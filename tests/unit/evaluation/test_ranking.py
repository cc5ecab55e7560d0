"""Top-k accuracy, by hand."""

from __future__ import annotations

import numpy as np

from ranklet.evaluation.ranking import top_accuracies


def test_the_first_of_equals_is_on_top():
    probabilities = np.array([[0.4, 0.2, 0.2, 0.2], [0.1, 0.6, 0.2, 0.1]], dtype=np.float32)
    found = top_accuracies(probabilities, np.array([2, 3]))
    assert [(each.k, each.accuracy.value) for each in found] == [(2, 0.0), (3, 0.5)]
    assert top_accuracies(probabilities[:, :2], np.array([0, 1])) == ()
