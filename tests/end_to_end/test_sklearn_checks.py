"""scikit-learn's own checks of an estimator, on rows of numbers that are written as words.

The checks make matrices of numbers. Each number becomes a word for its column and its size, so that
what a row means is kept; everything behind X is the classifier's own: y, parameters, clones, seeds,
pickles, shapes and types of answers, and how well it learns. What the checks say of X itself (NaN,
sparse, complex, the number of columns) is answered by the wrapper, and tested of texts in
`test_sklearn`. Nothing is expected to fail.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from ranklet.sklearn import LoraTextClassifier

SIZES = 10
WORDS = [f"{column}{size}" for column in string.ascii_lowercase for size in range(SIZES)]


class RowsAsWords(LoraTextClassifier):
    """The classifier, of rows of numbers."""

    def fit(self, X: Any, y: Any) -> RowsAsWords:
        return super().fit(as_words(validate_data(self, X)), y)

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self)
        return super().predict_proba(as_words(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        return tags


def as_words(rows: NDArray[np.floating]) -> list[str]:
    sizes = np.clip(SIZES * (1 + np.tanh(rows / 2)) / 2, 0, SIZES - 1).astype(int)
    letters = string.ascii_lowercase
    return [
        " ".join(f"{letters[column % 26]}{size}" for column, size in enumerate(row))
        for row in sizes
    ]


@pytest.fixture(scope="module")
def workplace_of_words(encoder_of_words: Callable[..., Path]) -> Path:
    return encoder_of_words(WORDS).parent


@pytest.fixture(autouse=True)
def _beside_the_encoder(workplace_of_words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace_of_words)
    monkeypatch.setenv("RANKLET_CACHE", str(workplace_of_words / "cache"))


@parametrize_with_checks(
    [
        RowsAsWords(
            encoder="encoder", rank=4, head="linear", pooling="mean", epochs=3, batch_size=16,
            learning_rate=0.05, validation=0.2, max_length=32,
        )
    ]
)  # fmt: skip
def test_scikit_learn_finds_nothing(estimator: RowsAsWords, check: Any) -> None:
    check(estimator)
