from __future__ import annotations

import numpy as np
import pytest

from ranklet.data.audit.label_sets import find_set_errors, known_labels

DRAW = np.random.default_rng(0)
TRUTH = (DRAW.random((2_000, 6)) < 0.15).astype(np.int64)


def view_of(truth: np.ndarray, sureness: float) -> np.ndarray:
    """What a calibrated view says that sees each label through noise."""
    signs = 2 * truth - 1
    seen = sureness * (signs * sureness / 2 + DRAW.standard_normal(truth.shape))
    return 1 / (1 + np.exp(-(seen + np.log(0.15 / 0.85))))


def test_missing_and_superfluous_labels_are_found() -> None:
    given = TRUTH.copy()
    lost = np.flatnonzero(TRUTH)[::5]
    added = np.flatnonzero(TRUTH.ravel() == 0)[::60]
    given.flat[lost], given.flat[added] = 0, 1
    errors = find_set_errors(given, [view_of(TRUTH, 4.0), view_of(TRUTH, 4.0)])
    doubted = errors.wrong > 0.5
    assert (given != TRUTH)[doubted].mean() > 0.9
    assert doubted[given != TRUTH].mean() > 0.7
    assert errors.missing == pytest.approx(0.2, abs=0.05)
    assert errors.superfluous == pytest.approx(len(added) / given.sum(), abs=0.05)


def test_right_sets_are_left_alone() -> None:
    errors = find_set_errors(TRUTH, [view_of(TRUTH, 2.0)])
    assert (errors.wrong > 0.5).mean() < 0.005
    assert errors.missing < 0.05
    assert errors.superfluous < 0.05


def test_labels_that_a_view_knows() -> None:
    view = view_of(TRUTH, 3.0)
    view[:, 2] = TRUTH[:, 2].mean()
    assert known_labels(TRUTH, view).tolist() == [True, True, False, True, True, True]
