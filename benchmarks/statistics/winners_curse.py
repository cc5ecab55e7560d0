"""How often the score of a search's winner covers the truth: as it is, and corrected.

    python benchmarks/statistics/winners_curse.py

All trials of a search are one recipe with other seeds, so the winner is no better than the others,
and the truth is the mean accuracy of that recipe. A row has a difficulty that all trials share, and
every trial adds noise of its own; a trial has the accuracy of the recipe plus chance of its seed.
Four intervals: Wilson's of the best trial, as it is; the middle 95 % of its scores out of the bag;
the one of `corrected_score`; the same where three fresh seeds of two recipes tell how far seeds
scatter. The standard error of a coverage of 95 % over 200 searches is 1.5 points.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.measure import table
from library.results import record
from scipy.stats import norm

from ranklet.evaluation.intervals import wilson_interval
from ranklet.search.belief import corrected_score
from ranklet.search.luck import RESAMPLES, largest_seed_spread

ACCURACY = 0.90
# Share of a row's variance that all trials have together, as between seeds of a recipe.
SHARED = 0.88
FRESH_SEEDS = 3
INTERVALS = ("raw maximum", "out of bag", "corrected", "and fresh seeds")


def right_rows(
    trials: int, rows: int, spread: float, difficulty: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Draw on which rows the trials are right, (trials, rows) bool."""
    accuracy = np.clip(ACCURACY + spread * random.normal(size=(trials, 1)), 0.01, 0.99)
    noise = random.normal(size=(trials, rows))
    hardness = np.sqrt(SHARED) * difficulty + np.sqrt(1 - SHARED) * noise
    return hardness <= norm.ppf(accuracy)


def out_of_bag_interval(right: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the middle 95 % of the scores of the best trial by drawn rows, on all others."""
    random = np.random.default_rng(seed)
    rows = right.shape[1]
    scores = []
    for _ in range(RESAMPLES):
        counts = np.bincount(random.integers(rows, size=rows), minlength=rows)
        scores.append(right[(right @ counts).argmax(), counts == 0].mean())
    low, high = np.quantile(scores, [0.025, 0.975])
    return low, high


def search(
    trials: int, rows: int, spread: float, random: np.random.Generator, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a search.

    Returns:
        (4, 2) bounds of the intervals, and (2,) scores: the winner's as it is, and corrected.
    """
    difficulty = random.normal(size=rows)
    right = right_rows(trials, rows, spread, difficulty, random)
    fresh = right_rows(2 * FRESH_SEEDS, rows, spread, difficulty, random).mean(1)
    recipes = [dict(enumerate(scores)) for scores in np.split(fresh, 2)]
    best = int(right.sum(1).max())
    estimates = [
        corrected_score(right, seed, most) for most in (np.inf, largest_seed_spread(recipes))
    ]
    bounds = [
        wilson_interval(best, rows),
        out_of_bag_interval(right.astype(np.float64), seed),
        *((estimate.low, estimate.high) for estimate in estimates),
    ]
    return np.array(bounds), np.array([best / rows, estimates[0].value])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument(
        "--spreads", type=float, nargs="+", default=[0.0, 0.3, 0.8], help="of seeds, points"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    columns = (
        "seeds vary by",
        *(f"{name}: covers" for name in INTERVALS),
        *(f"{name}: width" for name in INTERVALS),
        "raw: too good by",
        "corrected: too good by",
    )
    results = []
    for spread in options.spreads:
        random = np.random.default_rng(options.seed)
        simulated = [
            search(options.trials, options.rows, spread / 100, random, options.seed + number)
            for number in range(options.searches)
        ]
        bounds, scores = (np.array(part) for part in zip(*simulated, strict=True))
        covered = ((bounds[..., 0] <= ACCURACY) & (bounds[..., 1] >= ACCURACY)).mean(0)
        widths = 100 * (bounds[..., 1] - bounds[..., 0]).mean(0)
        leads = 100 * (scores.mean(0) - ACCURACY)
        figures = (*(f"{share:.1%}" for share in covered), *(f"{width:.2f}" for width in widths))
        results.append((f"{spread}", *figures, *(f"{lead:+.2f}" for lead in leads)))
        print(results[-1], flush=True)
    print(table(columns, results))
    lines = [dict(zip(columns, row, strict=True)) for row in results]
    sizes = {"searches": options.searches, "trials": options.trials, "rows": options.rows}
    record("winners_curse", {**sizes, "lines": lines})
    print(f"{options.searches:,} searches, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
