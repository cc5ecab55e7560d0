from __future__ import annotations

import numpy as np
import pytest

from ranklet.data.audit.copies import Copy
from ranklet.workflows._audit.wrong_share import share_by_copies


def pairs(count: int, contradicting: int, resemblance: float = 0.9) -> tuple[dict, list[str]]:
    """Rows 2k + 1 copy rows 2k; the first of them contradict each other."""
    copies = {2 * k + 1: Copy(2 * k, False, resemblance, 1.0) for k in range(count)}
    labels = ["a", "b"] * contradicting + ["a", "a"] * (count - contradicting)
    labels[-2:] = ["b", "b"] if contradicting < count else labels[-2:]
    return copies, labels


def test_both_of_a_pair_may_be_wrong() -> None:
    # Two classes and 20 % wrong: 2 * 0.2 * 0.8 = 32 % of the pairs differ.
    share = share_by_copies(*pairs(100, 32))
    assert share is not None
    assert share.value == pytest.approx(0.2)
    assert share.interval is not None
    assert share.interval[0] < 0.2 < share.interval[1]
    assert (share.copies, share.contradicting) == (100, 32)


def test_the_share_is_that_of_planted_errors() -> None:
    draw = np.random.default_rng(0)
    truth = np.repeat(draw.integers(0, 5, 3_000), 2)
    is_wrong = draw.random(6_000) < 0.2
    given = np.where(is_wrong, (truth + draw.integers(1, 5, 6_000)) % 5, truth)
    copies, _ = pairs(3_000, 0)
    share = share_by_copies(copies, [str(label) for label in given])
    assert share is not None
    assert share.value == pytest.approx(0.2, abs=0.02)


def test_few_pairs_or_faint_likeness_tell_nothing() -> None:
    assert share_by_copies(*pairs(49, 10)) is None
    assert share_by_copies(*pairs(100, 10, resemblance=0.6)) is None


def test_a_row_counts_in_one_pair() -> None:
    copies = {row: Copy(0, True) for row in range(1, 200)}
    assert share_by_copies(copies, ["a"] * 199 + ["b"]) is None
