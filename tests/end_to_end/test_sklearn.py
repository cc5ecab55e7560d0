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
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

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


@pytest.mark.parametrize(
    ("texts", "labels", "problem"),
    [
        ([["a"], ["b"]], [0, 1], "one column of texts"),
        ([1, 2], [0, 1], "one column of texts"),
        (["a", "b"], [0], "1 labels for 2 texts"),
        (["a", "b"], [0, 0], "one label only"),
    ],
)
def test_bad_input_is_refused(
    classifier: LoraTextClassifier, texts: Any, labels: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        classifier.fit(texts, labels)
