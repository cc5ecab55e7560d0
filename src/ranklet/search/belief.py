"""What to believe of a search: its winner, the winner's score, and what fewer trials would give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from ranklet.evaluation.comparison.across_seeds import across_seeds
from ranklet.evaluation.comparison.row_answers import RowAnswers, own_scores
from ranklet.evaluation.comparison.significance import SIGNIFICANCE, holm, mcnemar, swap_test
from ranklet.evaluation.intervals import CONFIDENCE, Metric, bootstrap_intervals, wilson_interval
from ranklet.evaluation.score_intervals import LabelCounts, average_metrics
from ranklet.search.luck import macro_f1_scores, mean_scores, out_of_bag_score, with_bounds
from ranklet.search.trial import Estimate, Trial, Verdict
from ranklet.search.values import finished_trials

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class BestAfter:
    """How good the best of k trials is, for every k.

    Attributes:
        counts: Trials k, from 1 on.
        expected: The expected best of so many.
        low: Lower end of its 95 % band.
        high: Upper end.
    """

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def corrected_score(right: ArrayLike, seed: int, seed_spread: float = math.inf) -> Estimate:
    """Correct the accuracy of the winner for the luck of having been the best.

    Args:
        right: (trials, rows), at least two of both: whether each finished trial is right on each
            validation row, bool or 0 and 1; or float scores of rows that are averaged, such as the
            negative loss. Of equally good trials the first wins.
        seed: Of the resampling.
        seed_spread: See `luck.with_bounds`; fresh seeds tell it by `luck.largest_seed_spread`.

    Returns:
        The winner's score on rows that did not choose it. The interval is of the mean over seeds
        and rows: it also reaches down to where the winner had nothing but a lucky seed.
    """
    table = np.asarray(right, dtype=np.float64)
    rows, values = table.shape[1], table.mean(1)
    value = out_of_bag_score(mean_scores(table), rows, seed)
    if not np.isin(table, (0, 1)).all():
        half = _Z * float(table[values.argmax()].std(ddof=1)) / math.sqrt(rows)
        return with_bounds(value, values, lambda mean: (mean - half, mean + half), seed_spread)

    def wilson(share: float) -> tuple[float, float]:
        return wilson_interval(round(_share(share) * rows), rows)

    return _as_share(with_bounds(value, values, wilson, seed_spread))


def corrected_macro_f1(
    answers: Sequence[RowAnswers], seed: int, seed_spread: float = math.inf
) -> Estimate:
    """Correct the macro F1 of the winner for the luck of having been the best.

    The chance of the rows is that of the winner's own interval: the bootstrap, and the unseen.

    Args:
        answers: Of each finished trial, at least two, to the same rows, at least two.
        seed: Of the resampling.
        seed_spread: As in `corrected_score`.
    """
    values = np.array([own_scores(run)[1] for run in answers])
    own = _macro_f1(answers[int(values.argmax())], seed)
    below, above = own.value - own.interval[0], own.interval[1] - own.value
    value = out_of_bag_score(macro_f1_scores(answers), len(answers[0].has), seed)
    return _as_share(with_bounds(value, values, lambda f1: (f1 - below, f1 + above), seed_spread))


def verdict(
    winner: Mapping[int, float],
    default: Mapping[int, float],
    metric: str,
    *,
    default_won: bool = False,
    row_variance: float = 0.0,
) -> Verdict:
    """Say whether the winner beats the recipe as it was, on fresh seeds.

    By Student's t of the differences, paired by seed. The chance of the rows counts as well where
    it is known: by that of the seeds alone up to 11 % of equal recipes seem to differ.

    Args:
        winner: Its validation by fresh seed; higher is better, so a loss is negated.
        default: The same of the default; seeds that only one of them has do not count.
        metric: What the values are: `accuracy` and `macro_f1` are shares, `loss` nats.
        default_won: Whether the default is the winner.
        row_variance: Of the difference, from the choice of rows; see
            `significance.Difference.row_variance`.
    """
    if default_won:
        words = "keep the default: no trial was better"
        return Verdict(False, words, winner=winner, default=default)
    seeds = sorted(winner.keys() & default.keys())
    gaps = [winner[seed] - default[seed] for seed in seeds]
    if not gaps:
        words = (
            "keep the default for now: the winner was trained on no fresh seed, so its lead may "
            "be luck"
        )
        return Verdict(False, words, winner=winner, default=default)
    lead = across_seeds(gaps)
    if lead.interval is None:
        words = (
            f"keep the default for now: on the only fresh seed the winner is "
            f"{_size(lead.mean, None, metric)}, and no single seed tells that from luck"
        )
        return Verdict(False, words, winner=winner, default=default)
    half = math.hypot(lead.interval[1] - lead.mean, _Z * math.sqrt(row_variance))
    difference = Estimate(lead.mean, lead.mean - half, lead.mean + half)
    words = _in_words(difference, metric, len(gaps))
    return Verdict(difference.low > 0, words, difference, winner, default)


def best_after(values: Sequence[float], budget_k: int) -> BestAfter:
    """Compute the best validation to expect after k trials, in random order.

    The maximum of k values that are drawn from the n without replacement is at most the j-th
    smallest with probability C(j, k) / C(n, k). So the mean is unbiased (R. Tang, J. Lee, J. Xin,
    X. Liu, Y. Yu and J. Lin, "Showing your work doesn't always work", ACL 2020, arXiv:2004.13705),
    unlike that of drawing with replacement (J. Dodge, S. Gururangan, D. Card, R. Schwartz and N. A.
    Smith, "Show your work", EMNLP 2019, arXiv:1909.03004). The band is that of the order of these
    trials alone: at k = n it is a point. What other trials would give is less certain (N. Lourie,
    K. Cho and H. He, NAACL 2024, arXiv:2311.09480).

    Args:
        values: Of the finished trials, higher is better; a search that learns from earlier trials
            does not try them in random order, and may be compared with the curve.
        budget_k: Largest k; there are no more than the values.
    """
    ranked = np.sort(np.asarray(values, dtype=np.float64))
    places, trials = np.arange(1, len(ranked) + 1), len(ranked)
    at_most = np.ones(trials)
    curve: list[tuple[float, float, float]] = []
    tail = (1 - CONFIDENCE) / 2
    for k in range(1, min(budget_k, trials) + 1):
        at_most = at_most * np.maximum(places - k + 1, 0) / (trials - k + 1)
        expected = float(np.diff(at_most, prepend=0) @ ranked)
        low, high = ranked[np.searchsorted(at_most, (tail, 1 - tail))].tolist()
        curve.append((expected, low, high))
    expectations, lows, highs = zip(*curve, strict=True) if curve else ((), (), ())
    return BestAfter(tuple(range(1, len(curve) + 1)), expectations, lows, highs)


def frontier(trials: Sequence[Trial]) -> tuple[int, ...]:
    """Return the finished trials that none beats in value and parameters.

    Returns:
        Their numbers, by parameters ascending, so that the last has the best value; of trials alike
        in both the first.
    """
    finished = [
        (trial.parameters, -trial.values[-1], trial.number) for trial in finished_trials(trials)
    ]
    numbers: list[int] = []
    best = math.inf
    for _, negated, number in sorted(finished):
        if negated < best:
            best = negated
            numbers.append(number)
    return tuple(numbers)


def smallest_equal(
    numbers: Sequence[int], answers: Mapping[int, RowAnswers], metric: str, seed: int = 0
) -> int | None:
    """Return the smallest trial of the frontier that is not worse than the best by a paired test.

    Two trained models are compared: macro F1 by swapped answers, all else by McNemar's test of
    their accuracy; p is corrected for the number of trials (Holm). Not worse is what few rows
    cannot tell from equal, so the fewer rows, the smaller the trial.

    Args:
        numbers: Of the trials of the frontier, by parameters ascending: the last is the best.
        answers: Of each of them, to the same validation rows.
        metric: What the search looked at.
        seed: Of the swaps.

    Returns:
        Its number; None where the frontier is empty.
    """
    if not numbers:
        return None
    *smaller, best = numbers
    p_values = [_p_value(answers[best], answers[number], metric, seed) for number in smaller]
    not_worse = [
        number for number, p in zip(smaller, holm(p_values), strict=True) if p >= SIGNIFICANCE
    ]
    return [*not_worse, best][0]


def _p_value(first: RowAnswers, second: RowAnswers, metric: str, seed: int) -> float:
    if metric == "macro_f1":
        return swap_test(first, second, seed)
    only_first, only_second = first.right & ~second.right, second.right & ~first.right
    return mcnemar(int(only_first.sum()), int(only_second.sum()))


def _macro_f1(run: RowAnswers, seed: int) -> Metric:
    """Compute the macro F1 of a run with the interval that its evaluation has."""
    counts = np.ones(len(run.has), dtype=np.int64)
    scores = macro_f1_scores([run])
    low, high = bootstrap_intervals(counts, lambda drawn: scores(drawn.astype(np.float64)), seed)
    resampled = Metric(float(own_scores(run)[1]), (float(low[0]), float(high[0])))
    parts = ((run.has & run.given), run.has, run.given)
    labels = LabelCounts(*(part.sum(0, dtype=np.int64) for part in parts))
    is_one_label = bool((run.has.sum(1) == 1).all() and (run.given.sum(1) == 1).all())
    widened = average_metrics(labels, {"f1_macro": resampled}, is_one_label=is_one_label)
    return Metric(resampled.value, widened["f1_macro"].interval)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _as_share(estimate: Estimate) -> Estimate:
    """Keep a share between 0 and 1, where a bound by normal theory may not lie."""
    return Estimate(_share(estimate.value), _share(estimate.low), _share(estimate.high))


def _in_words(difference: Estimate, metric: str, seeds: int) -> str:
    """Say what to do, from the lead of the winner with its interval."""
    where = f"on {seeds} fresh seeds"
    if difference.low == difference.high == 0:
        return f"keep the default: the winner is just as good {where}"
    size = _size(difference.value, (difference.low, difference.high), metric)
    if difference.low > 0:
        return f"beats the default by {size.removesuffix(' better')} {where}"
    noise = ", which is noise" if difference.high >= 0 else ""
    return f"keep the default: the winner is {size} {where}{noise}"


def _size(value: float, interval: tuple[float, float] | None, metric: str) -> str:
    """Write a lead as `0.8 points [0.3, 1.3] better`, and one below 0 as so much worse."""
    low, high = interval or (value, value)
    side, sign = ("better", 1) if value >= 0 else ("worse", -1)
    scale, unit = (1, " nats") if metric == "loss" else (100, " points")
    # A tenth of a point says nothing where all of the interval lies within one.
    digits = 3 if metric == "loss" else 1 if interval and high - low >= 0.01 else 2
    size, *bounds = (
        f"{round(number, digits) + 0.0:.{digits}f}".replace("-", _MINUS)  # no minus before 0
        for number in (scale * abs(value), *sorted((scale * sign * low, scale * sign * high)))
    )
    return f"{size}{unit}{f' [{bounds[0]}, {bounds[1]}]' if interval else ''} {side}"
