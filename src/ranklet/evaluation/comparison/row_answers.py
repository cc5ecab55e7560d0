"""What several models answer to the same labelled texts: agreement, and chance by resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation import metrics
from ranklet.evaluation.intervals import Counts, Scores, bootstrap_values

Matrix = tuple[tuple[float | None, ...], ...]

SWAPS = 10_000
_SWAPS_AT_ONCE = 500  # of 10,000 texts that two models answer differently: 40 MB


@dataclass(frozen=True, eq=False)
class RowAnswers:
    """What one trained model answers to labelled texts.

    Attributes:
        rows: Name of the texts; equal for equal texts in the same order.
        has: (n, classes) bool, the labels of each text; n >= 1.
        given: (n, classes) bool, its answer.
    """

    rows: str
    has: NDArray[np.bool_]
    given: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which texts, (n,), are answered right in all their labels."""
        return np.asarray((self.has == self.given).all(1))


def agreement(runs: Sequence[RowAnswers]) -> Matrix:
    """Compute the share of rows that two runs answer alike, right or wrong, for every two.

    Returns:
        One row and one column a run, 0..1; None where two runs have different rows.
    """
    return _for_every_two(runs, lambda a, b: float((a.given == b.given).all(1).mean()))


def error_agreement(runs: Sequence[RowAnswers]) -> Matrix:
    """Compute Cohen's kappa of which rows two runs answer right, for every two.

    It tells whether they fail on the same rows (1) or each on its own (0), however many they are.
    """

    def kappa(a: RowAnswers, b: RowAnswers) -> float:
        cells = metrics.confusion_matrix(a.right.astype(np.int64), b.right.astype(np.int64), 2)
        same = bool((a.right == b.right).all())  # also where there is no error, or nothing else
        return 1.0 if same else float(metrics.cohen_kappa(cells))

    return _for_every_two(runs, kappa)


def own_scores(run: RowAnswers) -> Scores:
    """Compute accuracy and macro F1, (2,)."""
    return np.asarray(_scores([run])(np.ones(len(run.has)))[0])


def resampled_differences(
    first: Sequence[RowAnswers], second: Sequence[RowAnswers], seed: int
) -> Scores:
    """Resample the rows, the same ones for all runs; (resamples, 2) differences of the means.

    Rows with the same labels and the same answers of all runs are one kind of row: what is
    resampled is how many there are of each kind.
    """
    kinds, counts = _kinds([*first, *second])
    scores = _scores(kinds)

    def statistic(counts: Counts) -> Scores:
        left, right = np.split(scores(counts), [len(first)], axis=-2)
        return np.asarray(left.mean(-2) - right.mean(-2))

    return bootstrap_values(counts, statistic, seed)


def swapped_differences(first: RowAnswers, second: RowAnswers, seed: int) -> Scores:
    """Swap the answers of two models at half of the rows, drawn anew each time.

    Were it chance which of the two gives which answer, their differences would be such.
    Source: E. W. Noreen, "Computer-intensive methods for testing hypotheses" (1989), chapter 2; for
    F1: A. Yeh 2000, arXiv:cs/0008005. Of accuracy it would be McNemar's test.

    Returns:
        (SWAPS,) differences of macro F1.
    """
    (one, other), counts = _kinds([first, second])
    has, given, others = (part.astype(np.float64) for part in (one.has, one.given, other.given))
    support = counts @ has
    left, right = (np.stack([counts @ (has * part), counts @ part]) for part in (given, others))
    differs = (given != others).any(1)
    gained = (others - given)[differs]  # by the first, where the answers are swapped
    gains = np.stack([has[differs] * gained, gained])
    random = np.random.default_rng(seed)
    differences = list[Scores]()
    for _ in range(SWAPS // _SWAPS_AT_ONCE):
        swapped = random.binomial(counts[differs], 0.5, (_SWAPS_AT_ONCE, int(differs.sum())))
        moved = swapped.astype(np.float64) @ gains
        differences.append(
            _macro_f1(left[:, None] + moved, support) - _macro_f1(right[:, None] - moved, support)
        )
    return np.concatenate(differences)


def _kinds(runs: Sequence[RowAnswers]) -> tuple[list[RowAnswers], Counts]:
    """Return one row of each kind, alike in labels and all answers, and how many there are."""
    columns = np.packbits(np.concatenate([runs[0].has, *(run.given for run in runs)], 1), axis=1)
    _, rows, counts = np.unique(columns, axis=0, return_index=True, return_counts=True)
    kinds = [RowAnswers(run.rows, run.has[rows], run.given[rows]) for run in runs]
    return kinds, counts.astype(np.int64)


def _macro_f1(hits_and_given: Scores, support: Scores) -> Scores:
    hits, given = hits_and_given
    return metrics.macro_average(metrics.scores_of_counts(hits, support, given).f1)


def _for_every_two(
    runs: Sequence[RowAnswers], compute: Callable[[RowAnswers, RowAnswers], float]
) -> Matrix:
    return tuple(tuple(compute(a, b) if a.rows == b.rows else None for b in runs) for a in runs)


def _scores(runs: Sequence[RowAnswers]) -> Callable[[NDArray[np.generic]], Scores]:
    """Return what maps how often each row counts, (..., n), to (..., runs, 2).

    The two are accuracy and macro F1. float64 holds every count exactly, and matrix products of
    integers are slow.
    """
    parts = [
        tuple(part.astype(np.float64) for part in (run.has & run.given, run.has, run.given))
        for run in runs
    ]
    right = np.stack([run.right for run in runs], axis=1).astype(np.float64)

    def statistic(counts: NDArray[np.generic]) -> Scores:
        weights = np.asarray(counts, np.float64)
        shares = weights @ right / weights.sum(-1, keepdims=True)
        f1 = [
            metrics.macro_average(
                metrics.scores_of_counts(weights @ hits, weights @ has, weights @ given).f1
            )
            for hits, has, given in parts
        ]
        return np.stack([shares, np.stack(f1, axis=-1)], axis=-1)

    return statistic
