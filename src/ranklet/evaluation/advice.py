"""What a finished training suggests: where it stands, and what would most likely help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.data_description import DataDescription
from ranklet.evaluation.result import Evaluation

MOST_ADVICE = 3
FEW_TEXTS = 50
TRUNCATED_SHARE = 0.1
SURE_ERRORS_SHARE, FEWEST_DOUBTED = 0.02, 3
# A weaker classifier doubts labels that are right.
DOUBTS_FROM_ACCURACY = 0.9


def stand(evaluation: Evaluation, baselines: Sequence[Baseline]) -> str | None:
    """Say in a line where a classifier stands against the simple ones; None without any.

    Args:
        evaluation: Of the classifier on a split.
        baselines: Of simple classifiers on the same split.
    """
    if not baselines:
        return None
    best = max(baselines, key=lambda baseline: baseline.accuracy.value)
    points = 100 * (evaluation.accuracy.value - best.accuracy.value)
    low, high = best.accuracy.interval or (0.0, 1.0)
    others = ", ".join(f"{baseline.name} {baseline.accuracy.value:.4f}" for baseline in baselines)
    if points < 0:
        return f"below a simple baseline on {evaluation.split} by {-points:.1f} points: {others}"
    clear = not low <= evaluation.accuracy.value <= high
    how = "above" if clear else "not clearly above"
    return f"{how} the simple baselines on {evaluation.split}, {points:+.1f} points: {others}"


def advise(
    evaluation: Evaluation,
    data: DataDescription,
    truncated: float,
    doubted: int,
    max_length: int,
) -> list[str]:
    """Say what would most likely make a classifier better, the likeliest first, at most 3 lines.

    Args:
        evaluation: On the split that nothing was chosen on, else on validation.
        data: Rows by label, among others.
        truncated: Share of the training texts that were cut, 0..1.
        doubted: Rows of the split whose label is likely to be wrong itself.
        max_length: Tokens kept of a text.
    """
    advice = [*_weak_label(evaluation, data)]
    many = max(FEWEST_DOUBTED, SURE_ERRORS_SHARE * evaluation.rows)
    if doubted >= many and evaluation.accuracy.value >= DOUBTS_FROM_ACCURACY:
        advice.append(
            f"wrong labels: {doubted:,} of {evaluation.rows:,} {evaluation.split} labels look "
            "wrong; `ranklet audit` lists those of the training texts"
        )
    if truncated >= TRUNCATED_SHARE:
        advice.append(
            f"longer texts: {truncated:.0%} of the training texts were cut at {max_length} tokens; "
            f"--set data.max_length={2 * max_length} reads more of them"
        )
    return advice[:MOST_ADVICE]


def _weak_label(evaluation: Evaluation, data: DataDescription) -> list[str]:
    """Name the label that is missed most often among those with few training texts."""
    texts: Mapping[str, int] = dict(zip(data.labels, data.label_rows["train"], strict=True))
    few = [
        label
        for label in evaluation.classes
        if label.support and texts[label.label] < FEW_TEXTS and label.recall.value < 1
    ]
    if not few:
        return []
    worst = min(few, key=lambda label: (label.recall.value, texts[label.label]))
    missed = round((1 - worst.recall.value) * worst.support)
    return [
        f"more texts of {worst.label!r}: {missed} of its {worst.support} {evaluation.split} texts "
        f"were missed, and it has {texts[worst.label]} for training"
    ]
