from __future__ import annotations

import numpy as np

from ranklet.data.examples import Examples
from ranklet.workflows._audit.learning_curve import learning_curve

SIZES = {"a": 170, "b": 170, "rare": 20}


def drawn() -> tuple[Examples, np.ndarray]:
    """Two classes that states tell apart, and a small one that looks like the first."""
    draw = np.random.default_rng(0)
    centres = {"a": 0.0, "b": 6.0, "rare": 0.3}
    labels = [name for name, size in SIZES.items() for _ in range(size)]
    states = draw.standard_normal((len(labels), 4)).astype(np.float32)
    states[:, 0] += [centres[name] for name in labels]
    rows = tuple(range(len(labels)))
    return Examples(tuple(map(str, rows)), tuple(labels), rows, "set"), states


def test_the_curve_and_the_label_that_lacks_rows() -> None:
    examples, states = drawn()
    curve = learning_curve(examples, states, lambda line: None)
    assert curve is not None
    assert [point.rows for point in curve.points] == [36, 108, 240]
    assert curve.points[-1].accuracy > 0.9
    assert curve.points[-1].macro_f1 < 0.8
    assert [(label.label, label.rows) for label in curve.lacking] == [("rare", 20)]
    assert "from 36 to 240 rows" in curve.verdict
    assert curve.interval[0] <= curve.gain <= curve.interval[1]


def test_few_rows_have_no_curve() -> None:
    examples, states = drawn()
    few = [0, 1, 2, 3, 4, 200, 201, 202, 203, 204]
    assert learning_curve(examples.select(few), states[few], lambda line: None) is None
