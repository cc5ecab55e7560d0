"""The scikit-learn classifier: its contract, its place in pipelines and searches, its files."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import has_fit_parameter

import ranklet as library
from ranklet.errors import RecipeError
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.sklearn import LoraTextClassifier

Command = Callable[..., Any]

TEXTS = ["the team and the goal", "a match for the league", "the minister and a treaty",
         "the border and the envoy"] * 8  # fmt: skip
LABELS = np.array([7, 7, 3, 3] * 8)


@pytest.fixture
def classifier(workplace: Path) -> LoraTextClassifier:
    return LoraTextClassifier(
        encoder="encoder", rank=2, epochs=4, batch_size=4, learning_rate=5e-2, validation=4,
        max_length=16, settings={"engine.precision": "float32", "engine.device": "cpu"},
    )  # fmt: skip


def test_fit_predict_score_and_the_order_of_classes(classifier: LoraTextClassifier) -> None:
    classifier.set_params(head="linear", pooling="mean", epochs=12)
    fitted = classifier.fit(TEXTS, LABELS)
    assert fitted is classifier
    assert classifier.classes_.tolist() == [3, 7]
    probabilities = classifier.predict_proba(TEXTS)
    assert probabilities.shape == (32, 2)
    assert probabilities.sum(1) == pytest.approx(1)
    assert classifier.predict(TEXTS).tolist() == [[3, 7][i] for i in probabilities.argmax(1)]
    assert classifier.score(TEXTS, LABELS) == (classifier.predict(TEXTS) == LABELS).mean() > 0.9
    assert classifier.trained_parameters_ == 2 * 2 * 2 * 32 + 2 * 16 + 2
    assert classifier.validation_["accuracy"] >= 0.5


def test_parameters_are_those_of_scikit_learn(classifier: LoraTextClassifier) -> None:
    changed = clone(classifier).set_params(rank=1, learning_rate=1e-3)
    assert changed.get_params()["rank"] == 1
    assert classifier.get_params()["rank"] == 2
    with pytest.raises(NotFittedError):
        changed.predict(TEXTS)
    with pytest.raises(RecipeError, match="pooling"):
        changed.set_params(pooling="max").fit(TEXTS, LABELS)


def test_inside_a_pipeline_and_a_search(classifier: LoraTextClassifier) -> None:
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, classifier.set_params(epochs=1))
    search = GridSearchCV(pipeline, {"loratextclassifier__rank": [1, 2]}, cv=2)
    search.fit([text.upper() for text in TEXTS], LABELS)
    assert search.best_params_["loratextclassifier__rank"] in (1, 2)
    assert set(search.predict(TEXTS)) <= {3, 7}


def test_pickled_and_saved_it_answers_alike(
    classifier: LoraTextClassifier, ranklet: Command
) -> None:
    classifier.fit(TEXTS, np.where(LABELS == 7, "Sports", "World"))
    expected = classifier.predict_proba(TEXTS)
    again = pickle.loads(pickle.dumps(classifier))
    assert again.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-6)
    assert again.predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()
    classifier.save("saved")
    answer = ranklet("classify", "saved", TEXTS[0])
    assert answer.returncode == 0, answer.stderr
    assert classifier.predict(TEXTS[:1])[0] in answer.stdout
    damaged = pickle.loads(pickle.dumps(clone(classifier)))
    with pytest.raises(NotFittedError):
        damaged.predict(TEXTS)


def test_fit_writes_nothing_but_the_cache_of_tokens(
    classifier: LoraTextClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise AssertionError("a temporary folder")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setenv("RANKLET_CACHE", str(tmp_path / "cache"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    classifier.fit(TEXTS, LABELS)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    written = {path.relative_to(tmp_path) for path in after if after[path] != before.get(path)}
    assert {path.parts[0] for path in written if path.parts} == {"cache"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"adapter.init": "pissa"}, {"head": "linear", "adapter.use_dora": True}],
)
def test_it_is_what_training_into_a_folder_gives(
    classifier: LoraTextClassifier, settings: dict[str, Any]
) -> None:
    classifier.set_params(settings={**(classifier.settings or {}), **settings})
    classifier.fit(TEXTS, LABELS)
    recipe = parse_recipe(
        json.dumps(classifier._fields(multi_label=False)), "it", classifier._overrides()
    )
    numbers = np.searchsorted(classifier.classes_, LABELS).tolist()
    run = library.train(recipe, "folder", data=(TEXTS, numbers))
    loaded = library.load(run, merge=True)
    assert np.array_equal(loaded.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert json.loads(run.environment.read_text())["best_validation"] == classifier.validation_
    assert json.loads(run.certificate.read_text())["counted"] == classifier.trained_parameters_
    classifier.save("saved")
    for file in ("adapter_model.safetensors", "labels.json", "classifier.json", "README.md"):
        assert Path("saved", file).read_bytes() == (run.adapter / file).read_bytes(), file


def test_parameters_may_be_numbers_of_numpy(classifier: LoraTextClassifier) -> None:
    expected = classifier.set_params(epochs=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    as_numpy = clone(classifier).set_params(
        rank=np.int64(2), epochs=np.int32(1), batch_size=np.uint8(4), max_length=np.int16(16),
        learning_rate=np.float64(5e-2), validation=np.int64(4), random_state=np.int64(0),
        target_modules=np.array(["query", "value"]), encoder=Path("encoder"),
        settings={**(classifier.settings or {}), "training.warmup_ratio": np.float32(0.0625),
                  "adapter.dropout": np.float64(0)},
    )  # fmt: skip
    classifier.set_params(settings={**classifier.settings, "training.warmup_ratio": 0.0625})
    expected = classifier.fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert np.array_equal(as_numpy.fit(TEXTS, LABELS).predict_proba(TEXTS), expected)


def test_chance_is_scikit_learns(classifier: LoraTextClassifier) -> None:
    def answers(random_state: Any) -> Any:
        return classifier.set_params(random_state=random_state).fit(TEXTS, LABELS).predict_proba(
            TEXTS[:4]
        )  # fmt: skip

    classifier.set_params(epochs=1)
    first = answers(np.random.RandomState(5))
    assert np.array_equal(first, answers(np.random.RandomState(5)))
    assert not np.array_equal(answers(None), answers(None))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        answers("chance")
    with pytest.raises(RecipeError, match="seed"):
        answers(-1)


def test_a_column_of_labels_is_read_as_scikit_learn_reads_it(
    classifier: LoraTextClassifier,
) -> None:
    expected = classifier.set_params(epochs=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        classifier.fit(TEXTS, LABELS[:, None])
    assert np.array_equal(classifier.predict_proba(TEXTS), expected)
    assert classifier.predict(TEXTS).shape == LABELS.shape
    assert classifier.classes_.dtype == LABELS.dtype


def test_inside_what_scikit_learn_makes_of_classifiers(classifier: LoraTextClassifier) -> None:
    classifier.set_params(epochs=1)
    names = np.where(LABELS == 7, "Sports", "World")
    assert cross_val_score(classifier, TEXTS, names, cv=2).shape == (2,)
    calibrated = CalibratedClassifierCV(classifier, cv=2).fit(TEXTS, names)
    assert calibrated.predict_proba(TEXTS[:3]).sum(1) == pytest.approx(1)
    other = make_pipeline(CountVectorizer(), LogisticRegression())
    voting = VotingClassifier([("lora", classifier), ("words", other)], voting="soft")
    assert set(voting.fit(TEXTS, names).predict(TEXTS)) <= {"Sports", "World"}


def test_it_says_that_texts_have_no_weights(classifier: LoraTextClassifier) -> None:
    weights = np.ones(len(TEXTS))
    assert not has_fit_parameter(classifier, "sample_weight")
    with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weight'"):
        classifier.fit(TEXTS, LABELS, sample_weight=weights)  # type: ignore[call-arg]
    voting = VotingClassifier([("lora", classifier)])
    with pytest.raises(TypeError, match="does not support sample weights"):
        voting.fit(TEXTS, LABELS, sample_weight=weights)


NAN = float("nan")
MATRIX = [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("texts", "labels", "problem"),
    [
        ([["a"], ["b"]], [0, 1], "one column of texts"),
        ([1, 2], [0, 1], "one column of texts, each a str; row 0 is 1"),
        (["a", None], [0, 1], "one column of texts, each a str; row 1 is None"),
        (["a", NAN], [0, 1], "one column of texts, each a str; row 1 is nan"),
        ([], [], "X has no texts"),
        (["a", "b"], [0], "1 labels for 2 texts"),
        (["a", "b"], [0, 0], "1 class only"),
        (["a", "b"], None, "requires y to be passed"),
        (["a", "b"], ["x", NAN], "y has nan at row 1; give"),
        (["a", "b"], ["x", None], "y has None at row 1; give"),
        (["a", "b"], np.array(["x", NAN], dtype=object), "y has nan at row 1; give"),
        (["a", "b"], [0.0, NAN], "y has nan at row 1; give"),
        (["a", "b"], [0.0, -np.inf], "y has -inf at row 1; give"),
        (["a", "b"], [0, np.datetime64("nat")], "y has NaT at row 1; give"),
        (["a", "b"], [[0], [NAN]], "y has nan at row 1; give"),
        (["a", "b"], [[0, 1], [NAN, 0]], "y has nan at row 1; give"),
        (["a", "b"], [1, 0.5], "Unknown label type: continuous, as 0.5 at row 1"),
        (["a", "b"], [1, "1"], "names and numbers"),
        (["a", "b"], [["x"], ["x", "y"]], "MultiLabelBinarizer"),
        (["a", "b"], [np.array([1]), np.array([0, 1])], "MultiLabelBinarizer"),
        (["a", "b"], [[0, 2], [1, 0]], "MultiLabelBinarizer"),
        (["a", "b"], "ab", "MultiLabelBinarizer"),
        (["a", "b"], [MATRIX, MATRIX], "MultiLabelBinarizer"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_bad_input_is_refused(
    classifier: LoraTextClassifier, texts: Any, labels: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as refusal:
        classifier.fit(texts, labels)
    assert len(str(refusal.value).splitlines()) == 1


class NotAvailable:
    """What `pandas.NA` is: neither equal to itself nor different from it."""

    def __eq__(self, other: object) -> Any:
        return self

    __ne__ = __eq__

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self) -> str:
        return "<NA>"


def test_a_value_missing_in_pandas_is_no_class(classifier: LoraTextClassifier) -> None:
    with pytest.raises(ValueError, match="y has <NA> at row 1"):
        classifier.fit(["a", "b"], np.array(["x", NotAvailable()], dtype=object))
