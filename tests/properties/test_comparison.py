"""Comparisons over random answers: who is first and the order of rows change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.evaluation.comparison.row_answers import RowAnswers, agreement
from ranklet.evaluation.comparison.significance import compare_answers, holm

EYE = np.eye(3, dtype=bool)


@st.composite
def two_systems(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(2, 40))
    labels = EYE[random.integers(0, 3, rows)]
    counts = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return tuple(
        {
            seed: RowAnswers("rows", labels, EYE[random.integers(0, 3, rows)])
            for seed in range(count)
        }
        for count in counts
    )


@settings(max_examples=30, deadline=None)
@given(two_systems())
def test_the_other_way_round_only_signs_change(systems) -> None:
    first, second = systems
    found, turned = compare_answers(first, second), compare_answers(second, first)
    assert turned.accuracy.value == pytest.approx(-found.accuracy.value)
    assert turned.p == pytest.approx(found.p)
    assert 0 <= found.p <= 1
    assert (turned.row_variance, turned.seed_variance) == pytest.approx(
        (found.row_variance, found.seed_variance)
    )
    low, high = found.accuracy.interval
    assert low <= found.accuracy.value + 0.05
    assert high >= found.accuracy.value - 0.05


@settings(max_examples=20, deadline=None)
@given(two_systems(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_count(systems, seed) -> None:
    order = np.random.default_rng(seed).permutation(len(systems[0][0].has))
    mixed = [
        {key: RowAnswers("rows", run.has[order], run.given[order]) for key, run in held.items()}
        for held in systems
    ]
    found, again = compare_answers(*systems), compare_answers(*mixed)
    assert again.accuracy.interval == pytest.approx(found.accuracy.interval)
    assert again.f1_macro.interval == pytest.approx(found.f1_macro.interval)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_raises_p_and_keeps_their_order(p_values) -> None:
    corrected = holm(p_values)
    assert all(new >= old for new, old in zip(corrected, p_values, strict=True))
    assert max(corrected) <= 1
    assert corrected[int(np.argmin(p_values))] == pytest.approx(
        min(1, len(p_values) * min(p_values))
    )
    ranked = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[ranked]) >= 0).all()


@settings(max_examples=20, deadline=None)
@given(two_systems())
def test_agreement_is_symmetric(systems) -> None:
    found = np.array(agreement([*systems[0].values(), *systems[1].values()]))
    assert (found == found.T).all()
    assert (np.diag(found) == 1).all()
