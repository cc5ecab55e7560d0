"""Labels of AG News that are exchanged for wrong ones."""

from __future__ import annotations

import numpy as np

LABELS = ("World", "Sports", "Business", "Sci/Tech")


def exchanged(labels: np.ndarray, share: float, kind: str, seed: int) -> np.ndarray:
    """Return a copy of label numbers in which a share is wrong.

    Args:
        labels: (rows,) int, places in `LABELS`.
        share: Of the rows, 0..1.
        kind: `random`, any other label; or `confusable`, between Business and Sci/Tech.
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed)
    pool = np.arange(len(labels)) if kind == "random" else np.flatnonzero(labels >= 2)
    chosen = draw.choice(pool, round(share * len(labels)), replace=False)
    wrong = labels.copy()
    if kind == "random":
        wrong[chosen] = (labels[chosen] + draw.integers(1, 4, len(chosen))) % 4
    else:
        wrong[chosen] = 5 - labels[chosen]
    return wrong
