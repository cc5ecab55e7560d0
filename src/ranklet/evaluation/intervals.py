"""A figure with its 95 % interval: Wilson's for a share, the bootstrap's for other counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Scores = NDArray[np.float64]

CONFIDENCE = 0.95

# Resampled counts are kept in blocks of about 32 MB, however many classes there are.
_CELLS_PER_BLOCK = 4_000_000


@dataclass(frozen=True)
class Metric:
    """One figure with its 95 % interval.

    Attributes:
        value: Share, 0..1; of an agreement -1..1.
        interval: (low, high), on the same scale.
    """

    value: float
    interval: tuple[float, float]

    def __format__(self, spec: str) -> str:
        """Write value and interval alike: `f"{metric:.2f}"` is `0.97 [0.94, 0.99]`."""
        value, low, high = (format(bound, spec or ".4f") for bound in (self.value, *self.interval))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return f"{self}"

    def __repr__(self) -> str:
        return f"Metric({self})"


def share_with_interval(hits: int, rows: int) -> Metric:
    """Return `hits / rows` with Wilson's 95 % interval; rows >= 1."""
    return Metric(hits / rows, wilson_interval(hits, rows))


def wilson_interval(hits: int, rows: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Bound one share as `wilson_bounds` does: (low, high)."""
    low, high = wilson_bounds(np.array([hits]), np.array([rows]), confidence)
    return float(low[0]), float(high[0])


def wilson_bounds(
    hits: Counts, rows: Counts, confidence: float = CONFIDENCE
) -> tuple[Scores, Scores]:
    """Bound shares by Wilson's score interval.

    Keeps its coverage for shares near 0 and 1, where the interval of the textbooks collapses.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.

    Args:
        hits: Rows that count, 0..rows, of any shape.
        rows: All rows, of the same shape; of none nothing is known, which is 0 to 1.
        confidence: Wanted coverage, 0..1.

    Returns:
        (low, high), float64 shares within 0..1 that enclose `hits / rows`.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    some = np.maximum(rows, 1)
    share, spread = hits / some, z * z / some
    centre = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / some + spread / (4 * some)) / (1 + spread)
    low = np.where(rows > 0, np.maximum(0.0, np.minimum(centre - half, share)), 0.0)
    high = np.where(rows > 0, np.minimum(1.0, np.maximum(centre + half, share)), 1.0)
    return low, high


def metrics_of_counts(
    counts: Counts, statistic: Callable[[Counts], Scores], seed: int
) -> list[Metric]:
    """Compute statistics of counts with their bootstrap intervals; see `bootstrap_intervals`."""
    low, high = bootstrap_intervals(counts, statistic, seed)
    return [
        Metric(float(value), (float(left), float(right)))
        for value, left, right in zip(statistic(counts), low, high, strict=True)
    ]


def bootstrap_intervals(
    counts: Counts,
    statistic: Callable[[Counts], Scores],
    seed: int,
    resamples: int = 2_000,
    confidence: float = CONFIDENCE,
) -> tuple[Scores, Scores]:
    """Bound statistics of a confusion matrix, or other counts, by bootstrap percentile intervals.

    Resampling the n rows with replacement and counting them again gives a matrix that is
    multinomial with n draws and the observed cells as probabilities. So drawing the matrices
    themselves is the same bootstrap, for every statistic that depends on the matrix alone, and
    needs no rows. A statistic that no resample can change, such as the recall of a class without
    an error, gets an interval of no width; `score_intervals` widens it.
    Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    Args:
        counts: (classes, classes) counts, at least one row; or counts of rows that are alike in
            whatever the statistic looks at, of any shape.
        statistic: Maps (resamples, *shape) to (resamples, k).
        seed: Same seed, same intervals.
        resamples: Number of bootstrap samples.
        confidence: Wanted coverage, 0..1.

    Returns:
        (low, high), both (k,) float64.
    """
    values = bootstrap_values(counts, statistic, seed, resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high


def bootstrap_values(
    counts: Counts, statistic: Callable[[Counts], Scores], seed: int, resamples: int = 2_000
) -> Scores:
    """Compute statistics of resampled counts; see `bootstrap_intervals`.

    Returns:
        (resamples, k) float64.
    """
    block = max(1, _CELLS_PER_BLOCK // counts.size)
    random = np.random.default_rng(seed)
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    return np.concatenate([statistic(_resample(counts, size, random)) for size in sizes])


def _resample(counts: Counts, resamples: int, random: np.random.Generator) -> Counts:
    """Draw (resamples, *shape) counts of as many rows as the given ones."""
    # Only cells with rows: numpy gives the last cell whatever rounding leaves over.
    filled = np.flatnonzero(counts)
    cells = counts.ravel()[filled]
    drawn = np.zeros((resamples, counts.size), dtype=np.int64)
    drawn[:, filled] = random.multinomial(cells.sum(), cells / cells.sum(), size=resamples)
    return drawn.reshape(resamples, *counts.shape)
