"""What the rules see of the labels."""

from __future__ import annotations

import numpy as np

from ranklet.workflows.from_recipe.sight import fewest_and_most


def test_the_rarest_and_the_most_frequent_label_are_counted() -> None:
    assert fewest_and_most(np.repeat([0, 1, 3], [40, 30, 20]), 5) == (20, 40)
    assert fewest_and_most(np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 0]]), 4) == (1, 3)
    assert fewest_and_most(np.zeros((5, 2), dtype=np.int64), 2) == (1, 1)
    assert fewest_and_most(np.empty(0, dtype=np.int64), 3) == (1, 1)
