from __future__ import annotations

import pytest

from ranklet.data.audit.result import CopyCounts, leakage_verdict
from ranklet.data.audit.train_test_shift import auc_interval, find_shift, shift_verdict

SAME = [f"the {word} of {other}" for word in ("team", "goal") for other in "abcdefghijklmnop"]


def test_a_shift_is_seen_and_named() -> None:
    found = find_shift([f"{text} rain" for text in SAME], [f"{text} sun" for text in SAME])
    assert found is not None
    assert found.auc == 1.0
    assert (found.first_words[0], found.second_words[0]) == ("rain", "sun")
    assert found.verdict.startswith("strong")


def test_equal_splits_have_none() -> None:
    found = find_shift(SAME, SAME)
    assert found is not None
    assert found.interval[0] <= 0.5
    assert (found.first_words, found.second_words) == ((), ())
    assert found.verdict.startswith("none")


def test_too_few_texts_or_no_words_are_not_judged() -> None:
    assert find_shift(SAME[:19], SAME) is None
    assert find_shift(["!"] * 30, ["?"] * 30) is None


def test_the_interval_is_that_of_hanley_and_mcneil() -> None:
    # By hand: Q1 = 0.8 / 1.2, Q2 = 1.28 / 1.8; (0.16 + 49 * 0.02667 + 49 * 0.07111) / 2500.
    half = 1.96 * ((0.16 + 49 * (0.8 / 1.2 - 0.64) + 49 * (1.28 / 1.8 - 0.64)) / 2500) ** 0.5
    assert auc_interval(0.8, 50, 50) == pytest.approx((0.8 - half, 0.8 + half))
    assert auc_interval(1.0, 50, 50) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("auc", "low", "word"),
    [(0.52, 0.49, "none"), (0.55, 0.52, "slight"), (0.7, 0.6, "clear"), (0.9, 0.8, "strong")],
)
def test_verdicts_of_shift(auc: float, low: float, word: str) -> None:
    assert shift_verdict(auc, (low, 1.0)).startswith(word)


def test_verdicts_of_leakage() -> None:
    assert leakage_verdict(CopyCounts(0, 0, 0), 10).startswith("none")
    assert leakage_verdict(CopyCounts(3, 1, 0), 200) == (
        "leak: 4 of 200 test texts (2.00%) have a copy in train (3 exact, 1 near); they may lift "
        "a test accuracy by up to 2.00 points"
    )
