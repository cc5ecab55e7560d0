"""Statistics of comparisons against scipy and against values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers, agreement, error_agreement
from ranklet.evaluation.comparison.significance import (
    compare_answers,
    holm,
    mcnemar,
    needed_to_tell,
    swap_test,
)

EYE = np.eye(3, dtype=bool)


def answers(labels, given, rows="the same"):
    return RowAnswers(rows, EYE[np.asarray(labels)], EYE[np.asarray(given)])


def with_right(right, rows="the same"):
    """Answers that are right where asked; all labels are 0."""
    given = np.where(np.asarray(right, dtype=bool), 0, 1)
    return answers(np.zeros(len(given), dtype=int), given, rows)


def test_mcnemar_by_hand() -> None:
    # 6 rows of one, none of the other: twice 1 / 2**6.
    assert mcnemar(6, 0) == pytest.approx(2 / 64)
    # 1 against 4: 2 (1 + 5) / 2**5.
    assert mcnemar(1, 4) == mcnemar(4, 1) == pytest.approx(12 / 32)
    assert mcnemar(3, 3) == 1
    assert mcnemar(0, 0) == 1


def test_mcnemar_is_scipys_binomial_test() -> None:
    for first, second in [(12, 30), (100, 131), (0, 1), (7, 6)]:
        assert mcnemar(first, second) == stats.binomtest(first, first + second, 0.5).pvalue


def test_holm_by_hand() -> None:
    # Smallest times 3, next times 2, largest times 1, never falling, at most 1.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.04, 0.9]) == pytest.approx((0.08, 0.9))
    assert holm([0.8, 0.7]) == pytest.approx((1, 1))
    assert holm([0.2]) == (0.2,)


def test_two_models_by_hand() -> None:
    first, second = with_right([1, 1, 1, 0]), with_right([1, 0, 1, 0])
    found = compare_answers({0: first}, {5: second})
    assert found.accuracy.value == pytest.approx(0.25)
    assert found.only_right == (1, 0)
    assert found.p == 1
    assert (found.rows, found.seeds, found.paired) == (4, (1, 1), False)
    assert found.row_variance == pytest.approx(1 / 16)
    # Recall 3/4 and 1/2, precision 1, over three classes of which two have no rows.
    assert found.f1_macro.value == pytest.approx((6 / 7 - 2 / 3) / 3)


def test_the_paired_bootstrap_agrees_with_scipys() -> None:
    random = np.random.default_rng(0)
    right = random.random((2, 800)) < [[0.9], [0.86]]
    found = compare_answers({0: with_right(right[0])}, {0: with_right(right[1])})
    gaps = right[0].astype(float) - right[1]
    reference = stats.bootstrap((gaps,), np.mean, method="percentile", rng=random)
    assert found.accuracy.interval == pytest.approx(tuple(reference.confidence_interval), abs=3e-3)
    # Its unpaired twin would be wider than that.
    unpaired = 1.96 * math.sqrt(sum(each.var() for each in right) / 800)
    low, high = found.accuracy.interval
    assert high - low == pytest.approx(2 * 1.96 * gaps.std() / math.sqrt(800), rel=0.06)
    assert high - low < 2.2 * unpaired


def test_macro_f1_is_scikit_learns() -> None:
    from sklearn.metrics import f1_score

    random = np.random.default_rng(1)
    labels, one, other = random.integers(0, 3, (3, 200))
    found = compare_answers({0: answers(labels, one)}, {0: answers(labels, other)})
    expected = [f1_score(labels, given, average="macro") for given in (one, other)]
    assert found.f1_macro.value == pytest.approx(expected[0] - expected[1])


def test_swaps_of_few_rows_by_hand() -> None:
    # All right against all wrong: of 16 ways to swap four rows two make as large a difference.
    right, wrong = with_right([1, 1, 1, 1]), with_right([0, 0, 0, 0])
    assert swap_test(right, wrong) == pytest.approx(2 / 16, abs=0.01)
    assert swap_test(right, right) == 1


def test_swaps_are_those_of_every_row_by_itself() -> None:
    from itertools import product

    from sklearn.metrics import f1_score

    random = np.random.default_rng(3)
    labels, one, other = random.integers(0, 3, (3, 10))

    def gap(swap: np.ndarray) -> float:
        pair = np.where(swap, other, one), np.where(swap, one, other)
        first, second = (
            f1_score(labels, given, average="macro", labels=[0, 1, 2], zero_division=0)
            for given in pair
        )
        return float(first - second)

    differing = np.flatnonzero(one != other)
    swaps = np.zeros((2 ** len(differing), 10), dtype=bool)
    swaps[:, differing] = list(product([False, True], repeat=len(differing)))
    gaps = np.abs([gap(swap) for swap in swaps])
    exact = float((gaps >= gaps[0] - 1e-12).mean())
    assert swap_test(answers(labels, one), answers(labels, other)) == pytest.approx(exact, abs=0.02)


def test_macro_f1_of_several_seeds_has_its_own_p() -> None:
    """A rare class that one system alone finds: accuracy hardly differs, macro F1 does."""
    labels = np.repeat([0, 1], [950, 50])
    random = np.random.default_rng(0)

    def runs(found: float) -> dict[int, RowAnswers]:
        drawn = random.random((4, 1_000))
        return {
            seed: answers(labels, np.where(labels == 1, row < found, row < 0.025).astype(int))
            for seed, row in enumerate(drawn)
        }

    difference = compare_answers(runs(0.55), runs(0.2))
    assert difference.f1_p < 0.01
    low, _ = difference.f1_macro.interval
    assert low > 0


def test_paired_seeds_by_hand() -> None:
    """Two seeds of four rows: the variance of the pairs and that of the rows are added."""
    first = {0: with_right([1, 1, 1, 1]), 1: with_right([1, 1, 1, 0])}
    second = {0: with_right([1, 1, 0, 0]), 1: with_right([1, 1, 1, 0]), 7: with_right([0, 0, 0, 0])}
    found = compare_answers(first, second)
    assert (found.paired, found.seeds, found.only_right) == (True, (2, 2), None)
    # Differences by seed 0.5 and 0; by row 0, 0, 0.5, 0.5.
    assert found.accuracy.value == pytest.approx(0.25)
    assert found.seed_variance == pytest.approx(0.125 / 2)
    assert found.row_variance == pytest.approx((0.25 + 0.25) / 4 / 4)
    total = 0.0625 + 0.03125
    freedom = total**2 / (0.0625**2 / 1 + 0.03125**2 / 3)
    assert found.p == pytest.approx(2 * stats.t.sf(0.25 / math.sqrt(total), freedom))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(total)
    assert half > 1.25
    assert found.accuracy.interval == (-1, 1)  # no difference of two shares is larger


def test_without_chance_of_rows_it_is_the_paired_t_test() -> None:
    """Many copies of the rows leave the seeds as the only chance."""
    random = np.random.default_rng(2)
    right = random.random((2, 5, 60)) < [[[0.9]], [[0.85]]]
    copies = np.tile(right, 500)
    first, second = ({seed: with_right(row) for seed, row in enumerate(held)} for held in copies)
    shares = right.mean(-1)
    found = compare_answers(first, second)
    assert found.p == pytest.approx(stats.ttest_rel(*shares).pvalue, rel=0.02)
    interval = stats.ttest_rel(*shares).confidence_interval(0.95)
    assert found.accuracy.interval == pytest.approx((interval.low, interval.high), rel=0.02)
    unpaired = compare_answers(first, {seed + 9: row for seed, row in second.items()})
    assert not unpaired.paired
    assert unpaired.p == pytest.approx(stats.ttest_ind(*shares).pvalue, rel=0.02)


def test_one_run_borrows_the_spread_of_several() -> None:
    first = {seed: with_right(row) for seed, row in enumerate(np.tri(4, 12, 8))}
    second = {9: with_right(np.ones(12))}
    found = compare_answers(first, second)
    assert found.seeds == (4, 1)
    spread = np.var([8 / 12 + number / 12 for number in range(1, 5)], ddof=1)
    assert found.seed_variance == pytest.approx(spread * (1 / 4 + 1))


def test_seeds_with_rows_of_their_own_are_compared_seed_by_seed() -> None:
    first = {0: with_right([1, 1, 1, 1], "a"), 1: with_right([1, 1, 1, 0], "b")}
    second = {0: with_right([1, 1, 0, 0], "a"), 1: with_right([1, 1, 1, 0], "b")}
    found = compare_answers(first, second)
    assert found.accuracy.value == pytest.approx(0.25)
    # Rows: half of two variances of 2 / 4 / 4 and 0; what seeds vary by beyond is the rest.
    assert found.row_variance == pytest.approx((0.125 + 0) / 2 / 2)
    assert found.seed_variance == pytest.approx(0.125 / 2 - 0.03125)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({0: "a"}, {0: "b"}),
        ({0: "a"}, {1: "b"}),
        ({0: "a", 1: "b"}, {0: "a", 1: "c"}),
        ({0: "a", 1: "b"}, {2: "a"}),
    ],
)
def test_different_rows_are_refused(first, second) -> None:
    one, other = (
        {seed: with_right([1, 0], rows) for seed, rows in held.items()} for held in (first, second)
    )
    with pytest.raises(RunError, match="the rows differ"):
        compare_answers(one, other)


def test_runs_without_any_spread_are_equal_or_told_by_their_rows() -> None:
    same = {seed: with_right([1, 0, 1]) for seed in (0, 1)}
    found = compare_answers(same, dict(same))
    assert (found.accuracy.value, found.accuracy.interval, found.p) == (0, (0, 0), 1)
    # Every row of every seed differs: the rows still count as chance.
    ones, zeros = ({seed: with_right([value] * 3) for seed in (0, 1)} for value in (1, 0))
    assert 0 < compare_answers(ones, zeros).p < 1


def test_the_rows_needed_are_nearly_connors() -> None:
    random = np.random.default_rng(3)
    right = random.random((2, 7600)) < [[0.910], [0.907]]
    found = compare_answers({0: with_right(right[0])}, {0: with_right(right[1])})
    first, second = found.only_right
    share, gap = (first + second) / 7600, (first - second) / 7600
    z, power = stats.norm.ppf([0.975, 0.8])
    connor = (z * math.sqrt(share) + power * math.sqrt(share - gap**2)) ** 2 / gap**2
    needed = needed_to_tell(found)
    assert needed.rows == pytest.approx(connor, rel=0.01)
    assert needed.seeds is None
    # A stricter test needs more.
    assert needed_to_tell(found, 0.01).rows > needed.rows


def test_more_seeds_help_where_seeds_are_the_chance() -> None:
    random = np.random.default_rng(4)
    right = np.tile(random.random((2, 3, 60)) < [[[0.9]], [[0.88]]], 500)
    first, second = ({seed: with_right(row) for seed, row in enumerate(held)} for held in right)
    found = compare_answers(first, second)
    needed = needed_to_tell(found)
    assert needed.rows is None
    wanted = (found.accuracy.value / (stats.norm.ppf([0.975, 0.8]).sum())) ** 2
    assert needed.seeds == math.ceil(3 * found.seed_variance / (wanted - found.row_variance))
    assert needed_to_tell(compare_answers(first, dict(first))) is None


def test_agreement_and_kappa_by_hand() -> None:
    one, other = answers([0, 0, 0, 0], [0, 0, 1, 1]), answers([0, 0, 0, 0], [0, 1, 1, 2])
    assert agreement([one, other]) == ((1, 0.5), (0.5, 1))
    # Right alike in 3 of 4 rows; by chance 1/2 x 1/4 + 1/2 x 3/4 = 1/2.
    assert error_agreement([one, other])[0][1] == pytest.approx((0.75 - 0.5) / 0.5)
    perfect = answers([0, 0], [0, 0])
    assert error_agreement([perfect, perfect]) == ((1, 1), (1, 1))
    elsewhere = answers([0, 0], [0, 0], "other rows")
    assert agreement([perfect, elsewhere]) == ((1, None), (None, 1))
