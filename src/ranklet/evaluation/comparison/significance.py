"""Whether one classifier is better than another on the same texts, or chance made the difference.

Two trained models differ by chance of the rows: McNemar's exact test, its like for macro F1, and a
paired bootstrap. Two recipes, each trained with several seeds, differ by chance of the rows and of
the seeds: both variances are added, as where every row is read by every seed (see
`compare_answers`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import (
    RowAnswers,
    own_scores,
    resampled_differences,
    swapped_differences,
)
from ranklet.evaluation.intervals import CONFIDENCE, Metric, Scores

SIGNIFICANCE = 1 - CONFIDENCE
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """What one system has over another.

    Attributes:
        accuracy: Accuracy of the first less that of the second, -1..1, with its 95 % interval.
        f1_macro: The same of macro F1.
        p: How often chance alone brings a difference of accuracy at least as large; two-sided.
        f1_p: The same of macro F1.
        rows: Texts of each run.
        seeds: Runs of the first and of the second that it rests on.
        paired: Whether these are runs with the same seeds.
        only_right: Texts that only the first, and only the second, answers right; None where
            there are several runs of one.
        row_variance: Of the difference of accuracy, from the choice of texts.
        seed_variance: From the choice of seeds; 0 for one run each, which says nothing of it.
    """

    accuracy: Metric
    f1_macro: Metric
    p: float
    f1_p: float
    rows: int
    seeds: tuple[int, int]
    paired: bool
    only_right: tuple[int, int] | None
    row_variance: float
    seed_variance: float


@dataclass(frozen=True)
class RequiredSample:
    """What it would take to tell a difference of this size from none, four times in five.

    Attributes:
        rows: Texts, with as many seeds; None where no number of them suffices.
        seeds: Seeds of each system, with as many texts; None where no number of them suffices.
    """

    rows: int | None
    seeds: int | None


def mcnemar(only_first: int, only_second: int) -> float:
    """Test whether two models are equally accurate, from the rows that only one has right.

    If they are, each of these rows is either one's with probability one half, so the count is
    binomial and the test exact.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12 (1947), 153-157; T. G. Dietterich, "Approximate statistical
    tests for comparing supervised classification learning algorithms", Neural Computation 10
    (1998), 1895-1923, section 3.1.

    Returns:
        Two-sided p; 1 where there is no such row.
    """
    from scipy.stats import binomtest

    rows = only_first + only_second
    return float(binomtest(only_first, rows).pvalue) if rows else 1.0


def swap_test(first: RowAnswers, second: RowAnswers, seed: int = 0) -> float:
    """Test whether two models have the same macro F1, by swapping their answers.

    See `swapped_differences`. The answers as they are count as one more swap (Phipson and Smyth
    2010, doi:10.2202/1544-6115.1585).

    Returns:
        Two-sided p, above 0; 1 where they answer alike.
    """
    swapped = swapped_differences(first, second, seed)
    difference = float((own_scores(first) - own_scores(second))[1])
    # Sums in another order differ in their last bits.
    as_large = np.abs(swapped) >= abs(difference) - 1e-12
    return float((as_large.sum() + 1) / (len(swapped) + 1))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p for the number of tests, so that all together err in 5 % of the cases.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6 (1979), 65-70.
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, np.float64)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return tuple(corrected.tolist())


def compare_answers(
    first: Mapping[int, RowAnswers], second: Mapping[int, RowAnswers], seed: int = 0
) -> Difference:
    """Compare two systems, each one recipe trained with one or several seeds.

    Runs with the same seed are paired where both have at least two such; other runs are then left
    out. Else all runs count, and the spread of those of one system stands for that of a single one.

    With one run each, p is McNemar's, that of macro F1 comes of swapped answers, and the intervals
    are bootstrap percentiles; they speak of these two trained models. With several, every row is
    read by every seed, so the variance of the mean difference is that of the seeds plus that of the
    rows, each estimated on its own. The sum counts what varies in both once too often, which errs
    on the side of noise. Its degrees of freedom are Satterthwaite's ("An approximate distribution
    of estimates of variance components", Biometrics Bulletin 2 (1946), 110-114). The design is that
    of studies in which several readers judge the same cases: S. L. Hillis, "A comparison of
    denominator degrees of freedom methods for multiple observer ROC analysis", Statistics in
    Medicine 26 (2007), 596-619.

    Args:
        first: Answers by seed, at least one.
        second: The same of the other system.
        seed: Seed of the bootstrap.

    Raises:
        RunError: The rows of the runs differ.
    """
    left, right, paired = _comparable_runs(first, second)
    if len(left) == len(right) == 1:
        return _of_models(left[0], right[0], paired, seed)
    return _of_systems(left, right, paired, seed)


def needed_to_tell(
    difference: Difference, significance: float = SIGNIFICANCE
) -> RequiredSample | None:
    """Compute how much more it takes to tell a difference of this size.

    By the normal approximation, with a power of 80 %; for one run each it is nearly that of R. J.
    Connor, "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43 (1987), 207-211.

    Args:
        difference: Taken as the true difference, though it is the very thing that is uncertain.
        significance: Of the test; smaller where there are several.

    Returns:
        None where there is no difference at all.
    """
    if difference.accuracy.value == 0:
        return None
    normal = NormalDist()
    z = normal.inv_cdf(1 - significance / 2) + normal.inv_cdf(POWER)
    wanted = (difference.accuracy.value / z) ** 2
    rows = seeds = None
    if difference.row_variance and wanted > difference.seed_variance:
        rest = wanted - difference.seed_variance
        rows = math.ceil(difference.rows * difference.row_variance / rest)
    if difference.seed_variance and wanted > difference.row_variance:
        runs = 2 / sum(1 / number for number in difference.seeds)
        seeds = math.ceil(runs * difference.seed_variance / (wanted - difference.row_variance))
    return RequiredSample(rows, seeds)


def _comparable_runs(
    first: Mapping[int, RowAnswers], second: Mapping[int, RowAnswers]
) -> tuple[list[RowAnswers], list[RowAnswers], bool]:
    """Return the runs of both that count, and whether they are paired by seed."""
    both = sorted(first.keys() & second.keys())
    rows = {run.rows for run in (*first.values(), *second.values())}
    if len(both) >= 2 or (both and (len(rows) > 1 or len(first) == len(second) == 1)):
        return [first[seed] for seed in both], [second[seed] for seed in both], True
    return list(first.values()), list(second.values()), False


def _of_models(first: RowAnswers, second: RowAnswers, paired: bool, seed: int) -> Difference:
    """Compare two trained models on the same rows."""
    if first.rows != second.rows:
        raise _rows_differ()
    accuracy, f1 = (own_scores(first) - own_scores(second)).tolist()
    resampled = resampled_differences([first], [second], seed)
    low, high = np.quantile(resampled, [SIGNIFICANCE / 2, 1 - SIGNIFICANCE / 2], axis=0).tolist()
    only_right = int((first.right & ~second.right).sum()), int((second.right & ~first.right).sum())
    rows = len(first.has)
    return Difference(
        accuracy=Metric(accuracy, (low[0], high[0])),
        f1_macro=Metric(f1, (low[1], high[1])),
        p=mcnemar(*only_right),
        f1_p=swap_test(first, second, seed),
        rows=rows,
        seeds=(1, 1),
        paired=paired,
        only_right=only_right,
        row_variance=sum(only_right) / rows**2,
        seed_variance=0.0,
    )


def _of_systems(
    first: Sequence[RowAnswers], second: Sequence[RowAnswers], paired: bool, seed: int
) -> Difference:
    """Compare two recipes, at least one of them trained with several seeds."""
    left = np.array([own_scores(run) for run in first])
    right = np.array([own_scores(run) for run in second])
    by_seeds, freedom = _seed_variance(left, right, paired)
    if len({run.rows for run in (*first, *second)}) == 1:
        by_rows = _row_variance(first, second, seed)
    elif paired and all(a.rows == b.rows for a, b in zip(first, second, strict=True)):
        # Every seed has rows of its own, so what the seeds vary by holds what the rows vary by.
        row_variances = [_row_variance([a], [b], seed) for a, b in zip(first, second, strict=True)]
        by_rows = np.mean(row_variances, axis=0) / len(row_variances)
        by_seeds = np.maximum(by_seeds - by_rows, 0)
    else:
        raise _rows_differ()
    rows = min(len(run.has) for run in (*first, *second))
    values = left.mean(0) - right.mean(0)
    intervals, p_values = _t_interval(values, by_rows, by_seeds, rows - 1, freedom)
    return Difference(
        accuracy=intervals[0],
        f1_macro=intervals[1],
        p=p_values[0],
        f1_p=p_values[1],
        rows=rows,
        seeds=(len(first), len(second)),
        paired=paired,
        only_right=None,
        row_variance=float(by_rows[0]),
        seed_variance=float(by_seeds[0]),
    )


def _rows_differ() -> RunError:
    return RunError("the rows differ; compare runs that were evaluated on the same texts")


def _row_variance(first: Sequence[RowAnswers], second: Sequence[RowAnswers], seed: int) -> Scores:
    """Estimate how much other rows would move the differences of the means, (2,) variances."""
    gaps = np.mean([run.right for run in first], 0) - np.mean([run.right for run in second], 0)
    # Not around the mean, as in McNemar's test: if there is no difference, the mean is 0.
    accuracy = np.square(gaps).mean() / len(gaps)
    return np.array([accuracy, resampled_differences(first, second, seed)[:, 1].var(ddof=1)])


def _seed_variance(left: Scores, right: Scores, paired: bool) -> tuple[Scores, int]:
    """Estimate the variance of the difference of the means from (runs, 2) scores.

    Returns:
        (2,) variances, and their degrees of freedom: Student's, of pairs or of two samples.
    """
    if paired:
        return (left - right).var(0, ddof=1) / len(left), len(left) - 1
    freedom = len(left) + len(right) - 2
    squares = sum(np.square(scores - scores.mean(0)).sum(0) for scores in (left, right))
    return squares / freedom * (1 / len(left) + 1 / len(right)), freedom


def _t_interval(
    values: Scores,
    by_rows: Scores,
    by_seeds: Scores,
    rows_freedom: int,
    seeds_freedom: int,
) -> tuple[list[Metric], list[float]]:
    """Bound values by the sum of two variances, all (2,), and test each against 0."""
    from scipy.stats import t

    intervals: list[Metric] = []
    p_values: list[float] = []
    for value, row, seed in zip(
        *(part.tolist() for part in (values, by_rows, by_seeds)), strict=True
    ):
        total = row + seed
        if not total:  # every run answers every row as every other does
            intervals.append(Metric(value, (value, value)))
            p_values.append(float(value == 0))
            continue
        freedom = total**2 / (row**2 / max(rows_freedom, 1) + seed**2 / seeds_freedom)
        half = float(t.ppf(1 - SIGNIFICANCE / 2, freedom)) * math.sqrt(total)
        intervals.append(Metric(value, (max(value - half, -1.0), min(value + half, 1.0))))
        p_values.append(float(2 * t.sf(abs(value) / math.sqrt(total), freedom)))
    return intervals, p_values
