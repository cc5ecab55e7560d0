"""How often `ranklet compare` calls equal systems different, and finds a better one.

    python benchmarks/statistics/compare_power.py

A row has a difficulty that all runs share, one that all runs of a system share, and every run adds
noise of its own, so runs of a system agree on more rows than others do. A run has the accuracy of
its system plus chance of its seed. Systems are compared as the command does it, by
`compare_answers`, at p < 0.05. Beside it stand the two tests that count only one kind of chance:
the rows alone, as if the runs were all there is, and the seeds alone, as if the rows were.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
from library.measure import table
from library.results import record
from scipy.stats import norm, t

from ranklet.evaluation.comparison import significance as comparison
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.comparison.significance import SIGNIFICANCE, Difference, compare_answers

ACCURACY = 0.90
# Shares of a row's variance: of all runs, of the runs of a system; the rest is the run's own.
SHARED, OF_SYSTEM = 0.80, 0.08
EYE = np.eye(2, dtype=bool)


@dataclass(frozen=True)
class Design:
    """What is compared.

    Attributes:
        seeds: Runs of the first and of the second system.
        paired: Whether their seeds are the same.
        spread: Standard deviation of a run's accuracy over seeds, share.
        rows: Texts.
    """

    seeds: tuple[int, int]
    paired: bool
    spread: float
    rows: int


def simulate(design: Design, gap: float, random: np.random.Generator) -> Difference:
    """Draw two systems whose true accuracies differ by a gap, and compare them."""
    difficulty = random.normal(size=design.rows)
    labels = EYE[np.zeros(design.rows, dtype=int)]
    systems: list[dict[int, RowAnswers]] = []
    for place, (runs, accuracy) in enumerate(
        zip(design.seeds, (ACCURACY + gap / 2, ACCURACY - gap / 2), strict=True)
    ):
        known = np.sqrt(SHARED) * difficulty + np.sqrt(OF_SYSTEM) * random.normal(size=design.rows)
        first = 0 if design.paired else 100 * place
        held = {}
        for seed in range(first, first + runs):
            own = np.clip(accuracy + design.spread * random.normal(), 0.01, 0.99)
            noise = random.normal(size=design.rows)
            hardness = known + np.sqrt(1 - SHARED - OF_SYSTEM) * noise
            wrong = (hardness > norm.ppf(own)).astype(int)
            held[seed] = RowAnswers("rows", labels, EYE[wrong])
        systems.append(held)
    return compare_answers(*systems)


def called_different(design: Design, gap: float, sets: int, seed: int) -> tuple[float, ...]:
    """Return the shares of sets in which the command, rows alone, and seeds alone find a gap."""
    random = np.random.default_rng(seed)
    found = np.zeros(3)
    for _ in range(sets):
        difference = simulate(design, gap, random)
        value = abs(difference.accuracy.value)
        by_rows, by_seeds = difference.row_variance, difference.seed_variance
        freedom = min(design.seeds) - 1 if design.paired else sum(design.seeds) - 2
        found += [
            difference.p < SIGNIFICANCE,
            bool(by_rows) and 2 * norm.sf(value / np.sqrt(by_rows)) < SIGNIFICANCE,
            bool(by_seeds) and 2 * t.sf(value / np.sqrt(by_seeds), freedom) < SIGNIFICANCE,
        ]
    return tuple(found / sets)


def designs(rows: int) -> dict[str, Design]:
    """Name what is compared on so many rows."""
    return {
        "one model each": Design((1, 1), False, 0.0, rows),
        "one seed each, seeds vary by 0.3 points": Design((1, 1), False, 0.003, rows),
        "3 seeds each, paired, vary by 0.3 points": Design((3, 3), True, 0.003, rows),
        "5 seeds each, paired, vary by 0.3 points": Design((5, 5), True, 0.003, rows),
        "5 seeds each, paired, vary by 0.8 points": Design((5, 5), True, 0.008, rows),
        "5 and 3 seeds, not paired, vary by 0.3 points": Design((5, 3), False, 0.003, rows),
        "5 seeds against 1, vary by 0.3 points": Design((5, 1), False, 0.003, rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 7_600])
    parser.add_argument("--gaps", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="points")
    parser.add_argument("--sets", type=int, default=1_000, help="of equal systems")
    parser.add_argument("--power-sets", type=int, default=200, help="of each gap")
    parser.add_argument("--only", default="", help="part of a name of what is compared")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    # Nothing here reads the bootstrap of macro F1, which takes most of the time.
    comparison.resampled_differences = lambda *_: np.zeros((2, 2))
    results = []
    for rows in options.rows:
        wanted = {name: each for name, each in designs(rows).items() if options.only in name}
        for name, design in wanted.items():
            equal = called_different(design, 0.0, options.sets, options.seed)
            power = [
                called_different(design, gap / 100, options.power_sets, options.seed)[0]
                for gap in options.gaps
            ]
            results.append((name, f"{rows:,}", *(f"{share:.1%}" for share in (*equal, *power))))
            print(results[-1], flush=True)
    gaps = [f"found: {gap} points" for gap in options.gaps]
    columns = ("systems", "rows", "equal: called different", "by rows alone", "by seeds alone")
    print(table((*columns, *gaps), results))
    lines = [dict(zip((*columns, *gaps), row, strict=True)) for row in results]
    sizes = {"sets": options.sets, "power_sets": options.power_sets}
    record("compare_power", {**sizes, "lines": lines})
    print(f"{options.sets:,} and {options.power_sets:,} sets, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
