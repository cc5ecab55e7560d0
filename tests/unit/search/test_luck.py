"""The luck of the best of several trials, against values by hand and slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ranklet.evaluation.comparison.row_answers import RowAnswers, own_scores
from ranklet.search.luck import (
    RESAMPLES,
    largest_seed_spread,
    macro_f1_scores,
    mean_scores,
    out_of_bag_score,
    with_bounds,
)


def random_answers(trials, rows, classes, seed=0):
    random = np.random.default_rng(seed)
    eye, labels = np.eye(classes, dtype=bool), random.integers(0, classes, rows)
    guesses = np.where(random.random((trials, rows)) < 0.7, labels, 0)
    return [RowAnswers("rows", eye[labels], eye[guess]) for guess in guesses]


def by_point(score):
    """No chance of the rows."""
    return score, score


def test_the_choice_is_scored_on_the_rows_that_were_not_drawn() -> None:
    table = np.random.default_rng(1).random((5, 40))
    drawn = np.random.default_rng(7).integers(40, size=(RESAMPLES, 40))
    leads = []
    for rows in drawn:
        others = np.setdiff1d(np.arange(40), rows)
        winner = table[:, rows].mean(1).argmax()
        leads.append(table[winner, others].mean() - table[:, others].mean())
    expected = table.mean() + np.mean(leads)
    assert out_of_bag_score(mean_scores(table), 40, seed=7) == pytest.approx(expected)
    # Without the mean trial as a reference it is the same up to the chance of the draws.
    plain = [
        table[table[:, rows].mean(1).argmax(), np.setdiff1d(np.arange(40), rows)].mean()
        for rows in drawn
    ]
    assert expected == pytest.approx(np.mean(plain), abs=4 * np.std(plain) / math.sqrt(RESAMPLES))


def test_many_rows_are_drawn_in_blocks(monkeypatch) -> None:
    table = np.random.default_rng(1).random((3, 50))
    whole = out_of_bag_score(mean_scores(table), 50, seed=0)
    monkeypatch.setattr("ranklet.search.luck._CELLS_PER_BLOCK", 50 * 300)
    assert out_of_bag_score(mean_scores(table), 50, seed=0) == pytest.approx(whole)


def test_a_trial_that_is_best_on_every_row_keeps_its_score() -> None:
    table = np.random.default_rng(1).random((4, 60))
    table[2] += 1
    lead = table[2].mean() - table.mean()
    value = out_of_bag_score(mean_scores(table), 60, seed=0)
    assert value == pytest.approx(table.mean() + lead, abs=0.02)


def test_macro_f1_by_counts_is_that_of_the_rows() -> None:
    answers = random_answers(3, 30, 4)
    scores = macro_f1_scores(answers)
    assert scores(np.ones((1, 30)))[0] == pytest.approx([own_scores(run)[1] for run in answers])
    counts = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30))
    repeated = [
        RowAnswers("rows", run.has.repeat(counts, 0), run.given.repeat(counts, 0))
        for run in answers
    ]
    assert scores(counts[None].astype(float))[0] == pytest.approx(
        [own_scores(run)[1] for run in repeated]
    )


def test_rare_classes_do_not_lower_macro_f1() -> None:
    """Of 30 classes with one row each, two in three are missing wherever a choice is scored."""
    eye = np.eye(30, dtype=bool)
    same = [RowAnswers("rows", eye, eye[np.r_[:29, 0]])] * 3
    value = out_of_bag_score(macro_f1_scores(same), 30, seed=0)
    assert value == pytest.approx(own_scores(same[0])[1])


def test_bounds_by_hand() -> None:
    # Of two values of one normal sample the mean is their mean, and the better one lies
    # at Blom's score of (2 - 3/8) / (2 + 1/4).
    height = stats.norm.ppf(13 / 18)
    spread = 0.02 / (2 * height)
    estimate = with_bounds(0.91, np.array([0.90, 0.92]), by_point)
    assert (estimate.value, estimate.high) == (0.91, 0.91)
    assert estimate.low == pytest.approx(0.91 - 1.959964 * 0.5 * spread)
    # Known seeds: no more luck than their spread allows.
    estimate = with_bounds(0.918, np.array([0.90, 0.92]), by_point, seed_spread=0.001)
    assert estimate.low == pytest.approx(0.918 - height * 0.001 - 1.959964 * 0.5 * 0.001)


def test_bounds_contain_the_chance_of_the_rows() -> None:
    values = np.array([0.90, 0.92, 0.91])
    wide = with_bounds(0.91, values, lambda score: (score - 0.03, score + 0.04))
    narrow = with_bounds(0.91, values, by_point)
    assert wide.high == pytest.approx(0.95)
    assert wide.low < narrow.low - 0.02
    same = with_bounds(0.9, np.full(5, 0.9), lambda score: (score - 0.03, score + 0.04))
    assert (same.low, same.high) == pytest.approx((0.87, 0.94))


def test_what_is_plainly_worse_does_not_count() -> None:
    random = np.random.default_rng(0)
    good = 0.9 + 0.003 * random.normal(size=40)
    bad = random.uniform(0.2, 0.6, 60)
    estimate = with_bounds(0.905, np.r_[good, bad], by_point)
    assert estimate.low > 0.89


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1), st.floats(0, 0.1))
def test_a_smaller_spread_of_seeds_never_lowers_a_bound(trials, seed, seed_spread) -> None:
    values = np.random.default_rng(seed).normal(size=trials)
    value = float(values.max()) - 0.1
    free = with_bounds(value, values, by_point)
    known = with_bounds(value, values, by_point, seed_spread)
    assert free.low <= known.low <= known.value == free.value == free.high
    shifted = with_bounds(value + 5, np.random.default_rng(1).permutation(values) + 5, by_point)
    assert shifted.low == pytest.approx(free.low + 5)


def test_the_largest_spread_of_seeds() -> None:
    recipes = [{0: 0.90, 1: 0.92}, {5: 0.80, 6: 0.81, 7: 0.82}, {1: 0.7}]
    squares = 2 * 0.01**2 + 2 * 0.01**2
    expected = math.sqrt(squares / stats.chi2.ppf(0.1, 3))
    assert largest_seed_spread(recipes) == pytest.approx(expected)
    assert largest_seed_spread([{0: 0.9}, {}]) == math.inf
    random = np.random.default_rng(0)
    above = [
        largest_seed_spread([dict(enumerate(random.normal(size=3))) for _ in range(2)]) > 1
        for _ in range(400)
    ]
    assert np.mean(above) == pytest.approx(0.9, abs=0.05)
