"""Stress: what shifts of the texts do to a classifier, each on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from ranklet.display import Display, shows_itself, with_interval
from ranklet.evaluation.calibration import expected_calibration_error, reliability_bins
from ranklet.evaluation.intervals import CONFIDENCE, Metric, share_with_interval
from ranklet.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Sureness:
    """Whether a classifier knows how often it is right; only where a text has one label.

    Attributes:
        confidence: Mean probability of the predicted label; far above the accuracy, it does not
            know that it does not know.
        calibration_error: Expected calibration error, which grows with few rows.
    """

    confidence: float
    calibration_error: float


@dataclass(frozen=True)
class StressPoint:
    """What one kind of shift at one strength does.

    Attributes:
        kind: Name of the shift.
        strength: From above 0 to 1.
        changed: Rows whose text is another one.
        accuracy: Share of all rows that are right, in all their labels where they may have
            several, with Wilson's 95 % interval.
        difference: This less the accuracy on the clean texts, with a 95 % interval of the paired
            rows.
        lost: Rows that were right and are wrong.
        gained: Rows that were wrong and are right.
        flipped: Rows whose predicted label is another one, right or wrong.
        sureness: None where a text may have several labels.
    """

    kind: str
    strength: float
    changed: int
    accuracy: Metric
    difference: Metric
    lost: int
    gained: int
    flipped: int
    sureness: Sureness | None


@shows_itself
@dataclass(frozen=True)
class Stress:
    """A classifier on clean and on shifted texts.

    Attributes:
        source: What the texts are called.
        rows: How many were drawn from it.
        of_rows: How many it holds.
        seed: What the rows and the shifts were drawn with.
        accuracy_name: What people call the accuracy here.
        accuracy: On the clean texts, with Wilson's 95 % interval.
        sureness: On the clean texts; None where a text may have several labels.
        points: By kind, then by strength.
    """

    source: str
    rows: int
    of_rows: int
    seed: int
    accuracy_name: str
    accuracy: Metric
    sureness: Sureness | None
    points: tuple[StressPoint, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of shifts, in order."""
        return tuple(dict.fromkeys(point.kind for point in self.points))

    def display(self) -> Display:
        """Return what each kind and strength does as a table."""
        rows = [
            (
                f"{point.kind} {point.strength:g}",
                with_interval(point.accuracy.value, point.accuracy.interval),
                f"{point.difference.value:+.4f}",
                f"{point.flipped:,}",
            )
            for point in self.points
        ]
        accuracy = with_interval(self.accuracy.value, self.accuracy.interval)
        return Display(
            f"Stress of {self.source}: {self.accuracy_name} {accuracy} on {self.rows:,} texts",
            ("perturbation", self.accuracy_name, "difference", "flipped"),
            rows,
        )


def stress_point(
    kind: str, strength: float, changed: int, clean: Predictions, shifted: Predictions
) -> StressPoint:
    """Compare the predictions of shifted texts with those of the clean ones.

    Args:
        kind: Name of the shift.
        strength: From above 0 to 1.
        changed: Rows whose text is another one.
        clean: Predictions of at least one row.
        shifted: Predictions of the same rows.
    """
    lost = int((clean.right & ~shifted.right).sum())
    gained = int((shifted.right & ~clean.right).sum())
    pairs = zip(clean.predicted, shifted.predicted, strict=True)
    return StressPoint(
        kind=kind,
        strength=strength,
        changed=changed,
        accuracy=accuracy_of(shifted),
        difference=paired_difference(lost, gained, len(clean.right)),
        lost=lost,
        gained=gained,
        flipped=sum(before != after for before, after in pairs),
        sureness=sureness_of(shifted),
    )


def accuracy_of(predictions: Predictions) -> Metric:
    """Return the share of rows that are right, with Wilson's interval."""
    return share_with_interval(int(predictions.right.sum()), len(predictions.right))


def sureness_of(predictions: Predictions) -> Sureness | None:
    """Return how sure a classifier was; None where a text may have several labels."""
    if predictions.confidence is None:
        return None
    bins = reliability_bins(predictions.confidence, predictions.right)
    return Sureness(float(predictions.confidence.mean()), expected_calibration_error(bins))


def paired_difference(lost: int, gained: int, rows: int) -> Metric:
    """Bound the difference of two accuracies on the same rows.

    Wald's interval with a row added to each of `lost` and `gained`, so that it does not collapse
    where no row changes sides.
    Source: D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data", Journal of Educational and Behavioral Statistics 37
    (2012), 479-488.

    Args:
        lost: Rows that only the first has right.
        gained: Rows that only the second has right.
        rows: All rows, at least 1.

    Returns:
        Accuracy of the second less that of the first, -1..1, with its 95 % interval.
    """
    value = (gained - lost) / rows
    down, up = (lost + 1) / (rows + 2), (gained + 1) / (rows + 2)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    half = z * math.sqrt((down + up - (up - down) ** 2) / (rows + 2))
    low, high = max(-1.0, up - down - half), min(1.0, up - down + half)
    return Metric(value, (min(low, value), max(high, value)))
