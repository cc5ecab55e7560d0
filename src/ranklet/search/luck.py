"""The luck in the score of the best of several trials: of the validation rows, and of the seed.

The luck of the rows can be taken off. The choice is made again and again, each time by rows drawn
with replacement, and its winner is scored on the rows that were not drawn. No trial is trained for
it. Source: I. Tsamardinos, E. Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample
predictions for efficient and accurate cross-validation", Machine Learning 107 (2018), 1895-1922
(bootstrap bias corrected CV).

The luck of the seed cannot: with one training a trial, a lucky seed and a better recipe look alike.
What is left are two bounds, and an interval around both (G. W. Imbens and C. F. Manski, "Confidence
intervals for partially identified parameters", Econometrica 72 (2004), 1845-1857).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, variance

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.intervals import CONFIDENCE, Scores
from ranklet.evaluation.metrics import macro_average, scores_of_counts
from ranklet.search.trial import Estimate

RESAMPLES = 1_000

# Drawn rows are counted in blocks of about 32 MB, however many rows there are.
_CELLS_PER_BLOCK = 4_000_000

# The best trials that tell how far seeds scatter: one in so many, but at least so many.
_ONE_IN, _AT_LEAST = 4, 8

# Standard error of the mean that they tell, in spreads: 0.37 to 0.69 of 2 to 200 normal trials.
_ERROR_OF_MEAN = 0.5

TrialScores = Callable[[NDArray[np.float64]], Scores]
"""Maps how often each row counts, (resamples, rows) float64, to (resamples, trials) scores."""

Interval = Callable[[float], tuple[float, float]]
"""Maps a score to its 95 % interval by the chance of the rows."""


def mean_scores(right: NDArray[np.float64]) -> TrialScores:
    """Return what averages the (trials, rows) scores of rows, such as 1 for right, by trial."""

    def scores(counts: NDArray[np.float64]) -> Scores:
        return np.asarray(counts @ right.T / counts.sum(1, keepdims=True))

    return scores


def macro_f1_scores(answers: Sequence[RowAnswers]) -> TrialScores:
    """Return what computes the macro F1 of every trial; all answer the same rows."""
    has = answers[0].has.astype(np.float64)
    parts = [np.concatenate([run.has & run.given, run.given], 1) * 1.0 for run in answers]

    def scores(counts: NDArray[np.float64]) -> Scores:
        support = counts @ has
        sums = (np.split(counts @ part, 2, axis=1) for part in parts)
        f1 = [scores_of_counts(hits, support, given).f1 for hits, given in sums]
        return np.stack([macro_average(by_class) for by_class in f1], axis=1)

    return scores


def out_of_bag_score(scores: TrialScores, rows: int, seed: int) -> float:
    """Estimate the score of the best trial on rows that did not choose it.

    What the chosen trial is ahead of the mean trial is taken from the rows that were not drawn, the
    mean trial's score from all rows. Over many draws a mean of rows comes out the same, with less
    chance of the draw. Macro F1 needs it: among the rows that were not drawn a rare class may be
    missing, which lowers the F1 of all trials alike.

    Args:
        scores: Scores of the trials by rows; of equal ones the first is chosen.
        rows: How many there are, at least 2.
        seed: Of the draws; the same seed gives the same score.
    """
    random = np.random.default_rng(seed)
    block = max(1, _CELLS_PER_BLOCK // rows)
    sizes = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
    leads = np.concatenate([_leads(scores, _draw(rows, size, random)) for size in sizes])
    return float(scores(np.ones((1, rows))).mean() + leads.mean())


def with_bounds(
    value: float, values: Scores, interval: Interval, seed_spread: float = math.inf
) -> Estimate:
    """Bound the mean score, over seeds and rows, of the recipe that won.

    The higher bound takes every lead of the winner for merit. The lower one takes them for luck of
    the seed: were the trials one recipe with as many seeds, the best of them would be the upper end
    of a normal sample, and tell its spread and mean (by Blom's normal scores, "Statistical
    Estimates and Transformed Beta-Variables", 1958). Only the best quarter is looked at, so that
    recipes that are plainly worse do not count. Around both lies the chance of the rows.

    Args:
        value: The winner's score without the luck of the rows.
        values: (trials,) scores on all rows, at least two.
        interval: The chance of the rows.
        seed_spread: Largest standard deviation of a recipe's score over seeds that is credible;
            without any the trials' own scatter alone is the limit.
    """
    spread, height = _scatter(values)
    all_luck = max(float(values.max()) - height * spread, value - height * seed_spread)
    lowest = min(value, all_luck)
    of_mean = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * _ERROR_OF_MEAN * min(spread, seed_spread)
    below = math.hypot(lowest - interval(lowest)[0], of_mean)
    return Estimate(value, lowest - below, interval(value)[1])


def largest_seed_spread(recipes: Sequence[Mapping[int, float]]) -> float:
    """Bound the standard deviation of a score over seeds, from recipes with fresh seeds each.

    Args:
        recipes: The score by seed, of each recipe; the spread is taken for the same in all.

    Returns:
        What it exceeds in one case in ten only, by the chi-squared distribution; infinite where no
        recipe has two seeds.
    """
    from scipy.stats import chi2

    several = [list(scores.values()) for scores in recipes if len(scores) > 1]
    freedom = sum(len(scores) - 1 for scores in several)
    squares = sum((len(scores) - 1) * variance(scores) for scores in several)
    return math.sqrt(squares / float(chi2.ppf(0.1, freedom))) if freedom else math.inf


def _draw(rows: int, resamples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw rows with replacement and count them, (resamples, rows)."""
    drawn = random.integers(rows, size=(resamples, rows)) + rows * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(np.float64)


def _leads(scores: TrialScores, counts: NDArray[np.float64]) -> Scores:
    """Return what the best by the drawn rows is ahead of the mean trial on all others.

    Returns:
        (n,) of the draws that leave a row out; few rows may all be drawn.
    """
    counts = counts[(counts == 0).any(1)]
    chosen = scores(counts).argmax(1)
    others = scores((counts == 0).astype(np.float64))
    return np.asarray(others[np.arange(len(others)), chosen] - others.mean(1))


def _scatter(values: Scores) -> tuple[float, float]:
    """Return the spread that the best scores tell, and the expected best of as many, in spreads.

    The median of what every place below the best tells alone is not led astray by a few of them.
    """
    ranked, trials = np.sort(values)[::-1], len(values)
    normal = NormalDist()
    places = np.array([normal.inv_cdf((n + 5 / 8) / (trials + 1 / 4)) for n in range(trials)][::-1])
    top = slice(1, max(_AT_LEAST, math.ceil(trials / _ONE_IN)))
    spread = np.median((ranked[0] - ranked[top]) / (places[0] - places[top]))
    return float(spread), float(places[0])
