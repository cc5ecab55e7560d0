"""How well a probe on the frozen encoder learns from a tenth, a third and all of the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.learning_curve import gain_by_doubling
from ranklet.data.audit.result import CurvePoint, LackingLabel, LearningCurve
from ranklet.data.examples import Examples
from ranklet.evaluation.intervals import wilson_interval
from ranklet.labels import as_written
from ranklet.workflows._audit.labels import frequent_labels

MOST_ROWS = 6_000
"""So many rows are drawn, where there are more."""

SHARES = (0.1, 0.3)
FEWEST_ROWS = 100
ROWS_A_LABEL = 4
"""A share of the rows that has fewer of them is no point of the curve."""

MOST_LACKING = 5

Labels = NDArray[np.int64]


def learning_curve(
    examples: Examples, states: NDArray[np.float32], report: Callable[[str], None]
) -> LearningCurve | None:
    """Fit the probe on ever more rows, and say what twice as many would bring.

    Args:
        examples: Texts with one label each.
        states: (rows, hidden) of the frozen encoder.
        report: Receives a line.

    Returns:
        The curve; None where fewer than two labels, 100 rows or 14 rows a label can be judged.
    """
    frequent = frequent_labels([as_written(label) for label in examples.labels or ()])
    if frequent is None:
        return None
    names, kept, labels = frequent
    if len(kept) < max(FEWEST_ROWS, ROWS_A_LABEL * len(names) / SHARES[-1]):
        return None
    report(f"learning from ever more of {len(kept):,} rows")
    drawn = np.random.default_rng(0).permutation(len(kept))[:MOST_ROWS]
    labels = labels[drawn]
    points, scored, answers = _points(states[np.array(kept)[drawn]], labels, len(names))
    gain, interval = gain_by_doubling(
        [point.rows for point in points],
        [1 - point.accuracy for point in points],
        scored,
        len(kept),
    )
    return LearningCurve(
        points=points,
        gain=gain,
        interval=interval,
        lacking=_lacking(labels, answers, names),
        verdict=_verdict(points, gain, interval),
    )


def _points(
    states: NDArray[np.float32], labels: Labels, classes: int
) -> tuple[tuple[CurvePoint, ...], list[int], Labels]:
    """Return the points, how many texts each was scored on, and the answers of the last."""
    import torch

    from ranklet.probe import FOLDS as PROBE_FOLDS
    from ranklet.probe import fit_probe

    features, targets = torch.from_numpy(states), torch.from_numpy(labels)
    points, scored = [], []
    counts = [round(share * len(labels)) for share in SHARES]
    for count in (count for count in counts if count >= ROWS_A_LABEL * classes):
        probe = fit_probe(features[:count], targets[:count], classes)
        answers = probe.logits(features[count:]).argmax(1).numpy()
        points.append(_point(count, answers, labels[count:]))
        scored.append(len(answers))
    answers = fit_probe(features, targets, classes).logits_out_of_fold.argmax(1).numpy()
    learned = len(labels) * (PROBE_FOLDS - 1) // PROBE_FOLDS
    return (*points, _point(learned, answers, labels)), [*scored, len(labels)], answers


def _point(rows: int, answers: Labels, labels: Labels) -> CurvePoint:
    from sklearn.metrics import f1_score

    macro_f1 = float(f1_score(labels, answers, average="macro", zero_division=0))
    return CurvePoint(rows, float((answers == labels).mean()), macro_f1)


def _lacking(labels: Labels, answers: Labels, names: tuple[str, ...]) -> tuple[LackingLabel, ...]:
    """Name the labels with no more rows than most that are clearly recognised less than others."""
    sizes = np.bincount(labels, minlength=len(names))
    hits = np.bincount(labels[answers == labels], minlength=len(names))
    accuracy = hits.sum() / len(labels)
    lacking = [
        LackingLabel(name, int(size), float(right / size))
        for name, size, right in zip(names, sizes, hits, strict=True)
        if 0 < size <= np.mean(sizes) and wilson_interval(int(right), int(size))[1] < accuracy
    ]
    return tuple(sorted(lacking, key=lambda label: label.recall)[:MOST_LACKING])


def _verdict(points: tuple[CurvePoint, ...], gain: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return (
        f"twice the rows would bring a probe about {100 * gain:+.1f} points of accuracy "
        f"({100 * low:+.1f} to {100 * high:+.1f}), if it goes on as from {points[0].rows:,} to "
        f"{points[-1].rows:,} rows"
    )
