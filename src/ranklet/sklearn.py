"""A scikit-learn classifier of texts: what `ranklet train` does, for Pipeline and GridSearchCV."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ranklet.data.reading.memory import IN_MEMORY
from ranklet.problem import MultiLabel
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.text_classifier import TextClassifier
from ranklet.workflows.train import learn


class LoraTextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Train a text classifier with LoRA under a budget of trained parameters.

    X is a sequence of texts, y one label a text, of any type that NumPy sorts; or, where a text may
    have any number of labels, a matrix of 0 and 1 with a column a label, scikit-learn's form of
    multi-label y (`MultiLabelBinarizer` makes it of lists of names). What is not listed here goes
    into `settings`, by the names of a recipe's fields. Parameters may be NumPy's numbers. Texts
    have no weights: `fit` takes no `sample_weight`, which is how scikit-learn knows.

    Args:
        encoder: Known name, folder or hub id.
        budget: Most parameters that may be trained.
        rank: Rank of every adapter.
        target_modules: Modules that get one: names, or `all-linear`.
        head: `dense`, `frozen_dense`, `low_rank` or `linear`.
        pooling: `cls` or `mean`.
        epochs: Passes over the training texts.
        batch_size: Texts in a batch.
        learning_rate: Peak learning rate.
        validation: Share or number of the texts that choose the best weights and train nothing.
        max_length: Tokens kept of a text.
        random_state: Seed of the validation rows, fresh tensors, order and dropout; a RandomState,
            or None for NumPy's own, of which every `fit` draws a seed.
        settings: More fields of a recipe, such as `{"training.schedule": "linear"}`; they win.

    Attributes:
        classes_: (classes,) labels in the order of the columns of `predict_proba`; the numbers of
            the columns where y is a matrix.
        model_: The trained classifier, its adapters merged.
        trained_parameters_: How many numbers were trained.
        validation_: Figures of the validation texts at the weights kept.
    """

    classes_: NDArray[Any]
    model_: TextClassifier
    trained_parameters_: int
    validation_: Mapping[str, float]

    def __init__(
        self,
        *,
        encoder: str = "minilm",
        budget: int = 1_000_000,
        rank: int = 8,
        target_modules: str | Sequence[str] = ("query", "value"),
        head: str = "dense",
        pooling: str = "cls",
        epochs: int = 3,
        batch_size: int = 32,
        learning_rate: float = 5e-4,
        validation: float | int = 0.1,
        max_length: int = 128,
        random_state: int | np.random.RandomState | None = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.encoder = encoder
        self.budget = budget
        self.rank = rank
        self.target_modules = target_modules
        self.head = head
        self.pooling = pooling
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation = validation
        self.max_length = max_length
        self.random_state = random_state
        self.settings = settings

    def fit(self, X: ArrayLike, y: ArrayLike) -> LoraTextClassifier:
        """Train on texts and their labels.

        Args:
            X: (texts,) strings.
            y: (texts,) labels, at least two different ones, also as (texts, 1); or (texts, labels)
                of 0 and 1.

        Raises:
            ValueError: X holds something else than texts; y has another length or form, one class,
                or something missing, infinite or fractional in it.
            RankletError: A parameter is not allowed, or the training fails.
        """
        texts = _texts(X)
        if not texts:
            raise ValueError("X has no texts; give at least two")
        self.classes_, labels = _classes_and_labels(y)
        if len(labels) != len(texts):
            raise ValueError(f"y has {len(labels)} labels for {len(texts)} texts; give one each")
        if len(self.classes_) < 2:
            raise ValueError(f"y has {len(self.classes_)} class only; a classifier needs two")
        fields = self._fields(multi_label=isinstance(labels[0], list))
        recipe = parse_recipe(_as_json(fields), "parameters", self._overrides())
        learned = learn(recipe, data=(texts, labels))
        self.trained_parameters_ = learned.plan.total
        self.validation_ = dict(learned.result.best_metrics)
        self.model_ = learned.classifier.merged()
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return class probabilities, (texts, classes) float32, columns as in `classes_`."""
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(_texts(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label of each text, (texts,); (texts, labels) int64 of 0 and 1 for several."""
        probabilities = self.predict_proba(X)
        if isinstance(self.model_.problem, MultiLabel):
            return self.model_.problem.decide(probabilities).astype(np.int64)
        columns = probabilities.argmax(1)
        predicted: NDArray[Any] = self.classes_[columns]
        return predicted

    def save(self, folder: str | Path) -> None:
        """Write the classifier as a folder that `ranklet predict` and `ranklet.load` take.

        Raises:
            RunError: The folder exists or cannot be written.
        """
        check_is_fitted(self, "model_")
        self.model_.save(folder)

    def __sklearn_tags__(self) -> Any:
        """Say that X is a column of strings."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.input_tags.one_d_array = True
        tags.non_deterministic = False
        tags.classifier_tags.multi_label = True
        return tags

    def _fields(self, multi_label: bool) -> dict[str, Any]:
        targets = self.target_modules
        return {
            "encoder": self.encoder,
            "budget": self.budget,
            "seed": _seed(self.random_state),
            "head": self.head,
            "pooling": self.pooling,
            "data": {
                "train": IN_MEMORY,
                "label_names": _names(self.classes_),
                "problem_type": f"{'multi' if multi_label else 'single'}_label_classification",
                "validation": self.validation,
                "max_length": self.max_length,
                "duplicates": "keep",
            },
            "adapter": {
                "rank": self.rank,
                "target_modules": targets if isinstance(targets, str) else list(targets),
            },
            "training": {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
            },
        }

    def _overrides(self) -> list[str]:
        return [f"{field}={_as_json(value)}" for field, value in (self.settings or {}).items()]


def _seed(random_state: Any) -> Any:
    """Return an integer as it is, and draw one of whatever else scikit-learn takes for chance."""
    if isinstance(random_state, int | np.integer):
        return random_state
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def _as_json(value: Any) -> str:
    """Write parameters, which searches give as NumPy's own numbers."""

    def plain(parameter: Any) -> Any:
        is_of_numpy = isinstance(parameter, np.generic | np.ndarray)
        return parameter.tolist() if is_of_numpy else os.fspath(parameter)

    return json.dumps(value, default=plain)


def _texts(X: ArrayLike) -> list[str]:
    texts = np.asarray(X, dtype=object)
    if texts.ndim != 1:
        raise ValueError("X must be one column of texts, each a str")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"X must be one column of texts, each a str; row {row} is {text!r}")
    return [str(text) for text in texts]


def _classes_and_labels(y: Any) -> tuple[NDArray[Any], list[Any]]:
    """Return the classes, and the number of each text's class, or the list of those of its labels.

    Raises:
        ValueError: y is neither one label a text nor a matrix of 0 and 1.
    """
    if y is None:
        raise ValueError("LoraTextClassifier requires y to be passed, but the target y is None")
    # As objects, since NumPy writes a NaN among names as the name "nan".
    cells = np.asarray(y.toarray() if issparse(y) else y, dtype=object)
    if cells.ndim == 2 and cells.shape[1] == 1:
        y = cells = column_or_1d(cells, warn=True)
    _check_labels(cells)
    if cells.ndim == 2:
        return np.arange(cells.shape[1]), [np.flatnonzero(row).tolist() for row in cells]
    is_typed = isinstance(y, np.ndarray) and y.dtype != object
    classes, numbers = np.unique(y if is_typed else cells.tolist(), return_inverse=True)
    return classes, numbers.tolist()


def _check_labels(cells: NDArray[np.object_]) -> None:
    is_nested = any(isinstance(label, list | tuple | set | np.ndarray) for label in cells.flat)
    if cells.ndim not in (1, 2) or is_nested:
        raise ValueError(_NO_LABELS)
    for place, label in enumerate(cells.flat):
        row = place * len(cells) // cells.size
        if _is_missing(label):
            raise ValueError(f"y has {label} at row {row}; give the text a label or leave it out")
        if isinstance(label, float | np.floating) and not label.is_integer():
            problem = f"Unknown label type: continuous, as {label} at row {row} of y"
            raise ValueError(f"{problem}; labels are names or whole numbers")
    if cells.ndim == 2 and not all(label in (0, 1) for label in cells.flat):
        raise ValueError(_NO_LABELS)
    if len({isinstance(label, str) for label in cells.flat}) > 1:
        raise ValueError("y has names and numbers; make all of them names, or all numbers")


def _is_missing(label: Any) -> bool:
    if label is None or (isinstance(label, float | np.floating) and math.isinf(label)):
        return True
    try:
        return bool(label != label)  # NaN, NaT
    except TypeError:  # pandas.NA will not say
        return True


_NO_LABELS = (
    "y must be one label a text, or a matrix of 0 and 1 with a column for each label; make it of "
    "lists of labels with sklearn.preprocessing.MultiLabelBinarizer"
)


def _names(classes: NDArray[Any]) -> list[str]:
    """Name the classes in files: as they print where that tells them apart, else by number."""
    names = [str(label) for label in classes]
    readable = all(name.strip() and name.isprintable() for name in names)
    if readable and len(set(names)) == len(names):
        return names
    return [f"class {index}" for index in range(len(names))]
