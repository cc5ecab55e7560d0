"""Estimate: the accuracy expected on texts without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ranklet.display import Display, shows_itself, with_interval
from ranklet.evaluation.intervals import Metric


@shows_itself
@dataclass(frozen=True)
class Estimate:
    """The accuracy expected on texts without labels.

    Attributes:
        accuracy: Expected share of the texts that are labelled right, 0..1.
        interval: (low, high), 95 %, around `accuracy`.
        rows: Number of texts.
        validation: Accuracy on the texts with labels that the estimate builds on.
        validation_rows: Number of those.
        estimators: What each way of estimating says by itself, 0..1, by its name.
        warning: Why the estimate may not hold, in words; None where nothing speaks against it.
        told_apart: In which share of pairs a classifier tells a new text from a validation text,
            0.5 (chance) to 1; None where there are fewer than 10 of either.
    """

    accuracy: float
    interval: tuple[float, float]
    rows: int
    validation: Metric
    validation_rows: int
    estimators: Mapping[str, float]
    warning: str | None
    told_apart: float | None = None

    def display(self) -> Display:
        """Return what each way of estimating says as a table."""
        return Display(
            f"Estimate: accuracy {with_interval(self.accuracy, self.interval)} expected on "
            f"{self.rows:,} texts",
            ("estimator", "accuracy"),
            [(name, f"{share:.4f}") for name, share in self.estimators.items()],
            () if self.warning is None else (f"warning: {self.warning}",),
        )
