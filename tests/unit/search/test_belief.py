"""What to believe of a search, against values by hand, enumeration and simulated searches."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ranklet.evaluation.comparison.row_answers import RowAnswers, own_scores
from ranklet.evaluation.intervals import wilson_interval
from ranklet.evaluation.one_label import confusion_metrics
from ranklet.search.belief import (
    best_after,
    corrected_macro_f1,
    corrected_score,
    frontier,
    smallest_equal,
    verdict,
)
from ranklet.search.luck import largest_seed_spread
from ranklet.search.trial import Estimate, Trial

EYE = np.eye(3, dtype=bool)


def answers(right):
    """Answers to rows of label 0."""
    right = np.asarray(right, dtype=bool)
    return RowAnswers("rows", EYE[np.zeros(len(right), dtype=int)], EYE[np.where(right, 0, 1)])


def trial(number, value, parameters, state="finished"):
    values = () if value is None else (value,)
    return Trial(number, {}, {}, parameters, state=state, values=values)


def only_seeds_differ(random, spread, trials=50, rows=1_000):
    """Draw what trials of one recipe of accuracy 0.9 are right on; most rows are alike to all."""
    accuracy = 0.9 + spread * random.normal(size=(trials, 1))
    difficulty = np.sqrt(0.75) * random.normal(size=rows)
    hardness = difficulty + np.sqrt(0.25) * random.normal(size=(trials, rows))
    return hardness <= stats.norm.ppf(accuracy)


def covers(interval, truth):
    low, high = interval
    return low <= truth <= high


class TestCorrectedScore:
    @pytest.mark.slow
    @pytest.mark.parametrize("spread", [0.0, 0.008])
    def test_it_covers_the_mean_of_a_recipe_and_the_maximum_does_not(self, spread) -> None:
        random = np.random.default_rng(0)
        covered, leads = [], []
        for number in range(25):
            right = only_seeds_differ(random, spread)
            hits = int(right.sum(1).max())
            estimate = corrected_score(right, number)
            raw = wilson_interval(hits, right.shape[1])
            covered.append([covers((estimate.low, estimate.high), 0.9), covers(raw, 0.9)])
            leads.append([estimate.value - 0.9, hits / right.shape[1] - 0.9])
        corrected, uncorrected = np.mean(covered, 0)
        assert corrected >= 0.9
        assert uncorrected < 0.8
        if not spread:  # the luck of the rows goes, all of it
            assert np.mean(leads, 0)[0] == pytest.approx(0, abs=0.006)
            assert np.mean(leads, 0)[1] > 0.012

    @pytest.mark.slow
    def test_fresh_seeds_narrow_the_interval(self) -> None:
        """Seeds hardly matter, but a few recipes are worse than the others."""
        random = np.random.default_rng(0)
        covered, widths = [], []
        for number in range(10):
            right = only_seeds_differ(random, 0.002)
            right[5:] &= random.random((45, 1_000)) > np.linspace(0.01, 0.4, 45)[:, None]
            fresh = only_seeds_differ(random, 0.002, trials=6).mean(1)
            spread = largest_seed_spread([dict(enumerate(fresh[:3])), dict(enumerate(fresh[3:]))])
            free, known = (corrected_score(right, number, most) for most in (np.inf, spread))
            covered.append(covers((known.low, known.high), 0.9))
            widths.append((free.high - free.low, known.high - known.low))
        assert np.mean(covered) >= 0.9
        assert np.mean(widths, 0)[1] < 0.8 * np.mean(widths, 0)[0]

    def test_equal_trials_have_their_accuracy_and_wilson_s_interval(self) -> None:
        right = np.tile(np.arange(200) < 180, (4, 1))
        estimate = corrected_score(right, 0)
        assert estimate.value == pytest.approx(0.9)
        assert (estimate.low, estimate.high) == pytest.approx(wilson_interval(180, 200))

    def test_trials_without_an_error_are_no_point(self) -> None:
        estimate = corrected_score(np.ones((3, 100)), 0)
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(wilson_interval(100, 100)[0])

    def test_scores_of_rows_need_not_be_shares(self) -> None:
        losses = -np.random.default_rng(0).exponential(size=(6, 300))
        estimate = corrected_score(losses, 0)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.value < losses.mean(1).max()
        moved = corrected_score(2 * losses - 3, 0)
        assert (moved.value, moved.low, moved.high) == pytest.approx(
            tuple(2 * part - 3 for part in (estimate.value, estimate.low, estimate.high))
        )
        half = 1.959964 * losses[losses.mean(1).argmax()].std(ddof=1) / np.sqrt(300)
        assert estimate.high - estimate.value == pytest.approx(half)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(2, 8), st.integers(2, 30), st.integers(0, 2**32 - 1), st.floats(0, 1))
    def test_it_is_a_share_within_its_interval(self, trials, rows, seed, accuracy) -> None:
        right = np.random.default_rng(seed).random((trials, rows)) < accuracy
        estimate = corrected_score(right, seed)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert corrected_score(right.astype(float), seed) == estimate

    def test_macro_f1_is_corrected_alike(self) -> None:
        random = np.random.default_rng(0)
        labels = random.integers(0, 3, 400)
        guesses = np.where(random.random((30, 400)) < 0.85, labels, random.integers(0, 3, 400))
        runs = [RowAnswers("rows", EYE[labels], EYE[guess]) for guess in guesses]
        of_f1, of_right = corrected_macro_f1(runs, 0), corrected_score(guesses == labels, 0)
        assert of_f1.value == pytest.approx(of_right.value, abs=0.01)
        assert of_f1.value < max(own_scores(run)[1] for run in runs) - 0.01
        assert of_f1.high - of_f1.low == pytest.approx(of_right.high - of_right.low, rel=0.2)

    def test_equal_trials_have_the_interval_of_their_evaluation(self) -> None:
        random = np.random.default_rng(0)
        labels = random.integers(0, 3, 400)
        given_ = np.where(random.random(400) < 0.9, labels, random.integers(0, 3, 400))
        confusion = np.zeros((3, 3), dtype=np.int64)
        np.add.at(confusion, (labels, given_), 1)
        own = confusion_metrics(confusion, 0)["f1_macro"]
        estimate = corrected_macro_f1([RowAnswers("rows", EYE[labels], EYE[given_])] * 2, 0)
        assert estimate.value == pytest.approx(own.value)
        assert (estimate.low, estimate.high) == pytest.approx(own.interval, abs=0.003)


class TestVerdict:
    def test_a_winner_that_beats_the_default(self) -> None:
        gaps = [0.004, 0.008, 0.012]
        default = {seed: 0.9 for seed in (7, 8, 9)}
        winner = {seed: 0.9 + gap for seed, gap in zip(default, gaps, strict=True)}
        result = verdict({**winner, 99: 0.1}, default, "accuracy")
        half = stats.t.ppf(0.975, 2) * 0.004 / np.sqrt(3)
        assert result.difference is not None
        assert (result.difference.value, result.difference.low) == pytest.approx(
            (0.008, 0.008 - half)
        )
        assert not result.beats_default  # 0.8 points, give or take 1.0
        assert result.words == (
            "keep the default: the winner is 0.8 points [\N{MINUS SIGN}0.2, 1.8] better on 3 fresh "
            "seeds, which is noise"
        )
        five = verdict(
            dict(enumerate([0.910, 0.905, 0.908, 0.903, 0.914])),
            dict.fromkeys(range(5), 0.9),
            "accuracy",
        )
        assert five.beats_default
        assert five.words == "beats the default by 0.8 points [0.3, 1.3] on 5 fresh seeds"
        assert five.winner[4] == 0.914

    def test_a_planted_space_whose_every_other_point_is_worse_keeps_the_default(self) -> None:
        random = np.random.default_rng(0)
        for _ in range(20):
            seeds = range(3)
            luck = 0.003 * random.normal(size=(2, 3))
            winner = {seed: 0.88 + luck[0, seed] for seed in seeds}
            default = {seed: 0.90 + luck[1, seed] for seed in seeds}
            result = verdict(winner, default, "accuracy")
            assert not result.beats_default
            assert result.words.startswith("keep the default: the winner is ")
            assert " worse on 3 fresh seeds" in result.words

    def test_the_chance_of_the_rows_counts_where_it_is_known(self) -> None:
        winner, default = {0: 0.9101, 1: 0.9099}, {0: 0.9, 1: 0.9}
        assert verdict(winner, default, "accuracy").beats_default
        noisy = verdict(winner, default, "accuracy", row_variance=0.006**2)
        assert not noisy.beats_default
        assert noisy.difference is not None
        by_seeds = stats.t.ppf(0.975, 1) * 0.0001
        assert noisy.difference.high - noisy.difference.value == pytest.approx(
            np.hypot(by_seeds, 1.959964 * 0.006), rel=1e-3
        )

    @pytest.mark.parametrize(
        ("winner", "default", "metric", "words"),
        [
            ({}, {}, "accuracy", "trained on no fresh seed, so its lead may be luck"),
            ({1: 0.9}, {2: 0.8}, "accuracy", "trained on no fresh seed, so its lead may be luck"),
            ({1: 0.91}, {1: 0.9}, "accuracy", "the only fresh seed the winner is 1.00 points bet"),
            ({1: 0.9, 2: 0.8}, {1: 0.9, 2: 0.8}, "macro_f1", "just as good on 2 fresh seeds"),
            ({1: -0.40, 2: -0.41}, {1: -0.3, 2: -0.3}, "loss", "is 0.105 nats [0.041, 0.169] wor"),
        ],
    )
    def test_other_cases_have_sentences_of_their_own(self, winner, default, metric, words) -> None:
        result = verdict(winner, default, metric)
        assert not result.beats_default
        assert words in result.words
        assert result.words.startswith("keep the default")

    def test_a_default_that_won_is_kept(self) -> None:
        result = verdict({0: 0.9, 1: 0.9}, {0: 0.9, 1: 0.9}, "accuracy", default_won=True)
        assert result.words == "keep the default: no trial was better"
        assert not result.beats_default
        assert result.difference is None

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6))
    def test_the_other_way_round_the_difference_changes_its_sign(self, pairs) -> None:
        left, right = ({n: pair[side] for n, pair in enumerate(pairs)} for side in (0, 1))
        there, back = verdict(left, right, "accuracy"), verdict(right, left, "accuracy")
        assert there.difference is not None
        assert back.difference is not None
        assert there.difference.low == pytest.approx(-back.difference.high)
        assert not (there.beats_default and back.beats_default)
        assert there.beats_default == (there.difference.low > 0)
        assert "\N{MINUS SIGN}0.0 " not in there.words


class TestBestAfter:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.floats(-1, 1), min_size=1, max_size=7))
    def test_it_is_that_of_all_sets_of_k_trials(self, values) -> None:
        curve = best_after(values, 10)
        assert curve.counts == tuple(range(1, len(values) + 1))
        for k, expected, low, high in zip(
            curve.counts, curve.expected, curve.low, curve.high, strict=True
        ):
            maxima = sorted(max(chosen) for chosen in combinations(values, k))
            assert expected == pytest.approx(np.mean(maxima), abs=1e-12)
            assert (low, high) == tuple(np.quantile(maxima, [0.025, 0.975], method="inverted_cdf"))
        assert curve.expected[-1] == curve.low[-1] == curve.high[-1] == max(values)

    def test_by_hand(self) -> None:
        curve = best_after([0.3, 0.1, 0.2], 2)
        assert curve.counts == (1, 2)
        assert curve.expected == pytest.approx((0.2, (0.2 + 0.3 + 0.3) / 3))
        assert best_after([], 3).counts == ()


class TestFrontier:
    def test_by_hand(self) -> None:
        trials = [
            trial(0, 0.90, 1000),
            trial(1, 0.80, 100),
            trial(2, 0.85, 500),
            trial(3, 0.84, 600),  # beaten by 2
            trial(4, 0.90, 1000),  # alike 0
            trial(5, 0.99, 50, state="paused"),
            trial(6, None, 10, state="failed"),
            trial(7, 0.80, 200),  # no better than 1
        ]
        assert frontier(trials) == (1, 2, 0)
        assert frontier([]) == ()

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=12))
    def test_none_beats_it_and_it_beats_all_others(self, pairs) -> None:
        trials = [trial(n, value, parameters) for n, (value, parameters) in enumerate(pairs)]
        numbers = frontier(trials)

        def beats(first, second) -> bool:
            (a, b), (c, d) = pairs[first], pairs[second]
            return a >= c and b <= d and (a, b) != (c, d)

        for number in range(len(pairs)):
            is_beaten = any(beats(other, number) for other in range(len(pairs)))
            is_copy = pairs[number] in pairs[:number]
            assert (number in numbers) == (not is_beaten and not is_copy)
        assert [pairs[n] for n in numbers] == sorted(pairs[n] for n in numbers)


class TestSmallestEqual:
    def test_the_smallest_that_no_test_tells_from_the_best(self) -> None:
        best = np.arange(400) < 380
        runs = {
            9: answers(np.arange(400) < 340),  # 40 rows worse
            4: answers(np.arange(400) < 378),  # 2 rows worse
            1: answers(np.arange(400) < 379),
            2: answers(best),
        }
        for metric in ("accuracy", "macro_f1"):
            assert smallest_equal([9, 4, 1, 2], runs, metric) == 4
            assert smallest_equal([9, 2], runs, metric) == 2
            assert smallest_equal([2], runs, metric) == 2
            assert smallest_equal([], runs, metric) is None

    def test_p_is_corrected_for_the_number_of_trials(self) -> None:
        best = np.ones(400, dtype=bool)
        worse = {number: answers(np.arange(400) >= 6) for number in (1, 2)}  # p = 2 / 2**6
        runs = {**worse, 0: answers(best)}
        assert smallest_equal([1, 0], runs, "accuracy") == 0
        assert smallest_equal([1, 2, 0], runs, "accuracy") == 1


def test_an_estimate_is_written_by_its_parts() -> None:
    assert corrected_score(np.ones((2, 4)), 0) == Estimate(1.0, wilson_interval(4, 4)[0], 1.0)
