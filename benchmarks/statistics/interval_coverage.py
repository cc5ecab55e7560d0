"""How often 95 % intervals cover the truth: accuracy, macro F1, Matthews correlation, kappa.

    python benchmarks/statistics/interval_coverage.py

Each set is drawn from a known distribution of true and predicted classes, whose figures are the
truth, and evaluated as `ranklet evaluate` does. The standard error of a coverage of 95 % over 1,000
sets is 0.7 points.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.results import record

from ranklet.evaluation import metrics
from ranklet.evaluation.intervals import Counts, Scores, bootstrap_intervals, wilson_interval

# Shares of (true, predicted) classes: rows true.
DISTRIBUTIONS = {
    "four classes, accuracy 0.90": np.full((4, 4), 0.1 / 12) + np.eye(4) * (0.9 / 4 - 0.1 / 12),
    "four classes, two of them rare, accuracy 0.90": np.array(
        [
            [0.440, 0.012, 0.004, 0.004],
            [0.012, 0.430, 0.004, 0.004],
            [0.008, 0.010, 0.022, 0.005],
            [0.012, 0.010, 0.015, 0.008],
        ]
    ),
}
FIGURES = ("accuracy, Wilson", "accuracy, bootstrap", "macro F1", "Matthews", "kappa")


def bootstrapped(confusion: Counts) -> Scores:
    """Lay out what is resampled: (..., 4)."""
    f1 = metrics.macro_average(metrics.class_scores(confusion).f1)
    agreements = (metrics.matthews_correlation(confusion), metrics.cohen_kappa(confusion))
    return np.stack([metrics.accuracy(confusion), f1, *agreements], axis=-1)


def coverage(
    shares: np.ndarray, sets: int, rows: int, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth of every figure, and the share of sets whose interval covers it."""
    random = np.random.default_rng(seed)
    shares = shares / shares.sum()
    truth = bootstrapped((shares * 10**12).round().astype(np.int64))
    truth = np.concatenate([truth[:1], truth])
    covered = np.zeros(len(truth))
    for number in range(sets):
        drawn = random.multinomial(rows, shares.ravel()).reshape(shares.shape)
        low, high = bootstrap_intervals(drawn, bootstrapped, number, resamples)
        wilson = wilson_interval(int(np.trace(drawn)), rows)
        low, high = (
            np.append(bound, others) for bound, others in zip(wilson, (low, high), strict=True)
        )
        covered += (low <= truth) & (truth <= high)
    return truth, covered / sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines = []
    for name, shares in DISTRIBUTIONS.items():
        truth, covered = coverage(
            shares, options.sets, options.rows, options.resamples, options.seed
        )
        print(f"{name}: {options.sets:,} sets of {options.rows:,} rows")
        for figure, value, share in zip(FIGURES, truth, covered, strict=True):
            print(f"  {figure:<20} {value:.4f} covered by {share:.1%}")
            lines.append({"set": name, "figure": figure, "truth": value, "covered": share})
    record("interval_coverage", {"sets": options.sets, "rows": options.rows, "lines": lines})


if __name__ == "__main__":
    main()
