"""Texts in memory and loaded classifiers through every verb."""

from __future__ import annotations

import csv
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ranklet as library
from ranklet.errors import DataError, RunError
from ranklet.files import sha256_file, sha256_json

ROOT = Path(__file__).parents[2]


def rows(name: str) -> tuple[list[str], list[str]]:
    with open(name, encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    return [row["text"] for row in read], [row["label"] for row in read]


def recipe() -> library.Recipe:
    return library.load_recipe("recipe.yaml")


@pytest.fixture
def learnt(workplace: Path) -> library.Run:
    return library.train(recipe(), "mine", data=rows("train.csv"), test=rows("test.csv"))


def test_lists_train_what_the_same_file_trains(learnt: library.Run) -> None:
    for name in ("adapter_model.safetensors", "adapter_config.json", "labels.json"):
        mine, other = (Path(run) / "adapter" / name for run in ("mine", "run"))
        assert mine.read_bytes() == other.read_bytes(), name
    stated = library.load_recipe(learnt.recipe).data
    assert (stated.train, stated.test, stated.validation) == ("texts in memory",) * 2 + (6,)
    hashes = json.loads(learnt.certificate.read_text())["sha256"]["data"]
    assert hashes == {
        split: sha256_json([list(values) for values in rows(f"{split}.csv")])
        for split in ("train", "test")
    }


def test_what_was_in_memory_is_asked_for_in_one_line(learnt: library.Run) -> None:
    for call in (
        lambda: library.train(learnt.recipe, "again"),
        lambda: library.evaluate(learnt),
        lambda: library.stress(learnt),
        lambda: library.estimate(learnt, "test.csv"),
    ):
        with pytest.raises(DataError, match=r"^texts in memory: .* not keep them; ") as caught:
            call()
        assert "\n" not in str(caught.value)
    again = library.evaluate(learnt, rows("test.csv"))
    assert again.accuracy == library.evaluate("run").accuracy
    checks = {check.name: check for check in library.verify(learnt, rows("test.csv"))}
    assert checks["train data"].state == "not checked"
    assert "in memory" in checks["train data"].detail
    assert checks["test figure"].state == "ok"


def test_a_recipe_s_own_test_data_are_others(workplace: Path) -> None:
    texts, labels = rows("train.csv")
    run = library.train(recipe(), "mine", data=(texts, np.array(labels)), validation=0.2)
    stated = library.load_recipe(run.recipe).data
    assert stated.test is None
    assert stated.validation == 0.2
    Path("other.csv").write_text("text,label\nthe envoy 99,World\na goal 99,Sports\n")
    named = library.train(recipe(), "named", data="train.csv", test="other.csv")
    stated = library.load_recipe(named.recipe).data
    assert (stated.train, stated.validation, stated.test) == ("train.csv", 6, "other.csv")
    with pytest.raises(library.RecipeError, match=r"the same file as data\.train"):
        library.train(recipe(), "same", data="test.csv", test="test.csv")


def test_plans_ranks_and_seeds_are_those_of_the_same_file(workplace: Path) -> None:
    texts, labels = rows("train.csv")
    assert library.plan(recipe(), (texts, labels)).to_json() == library.plan(recipe()).to_json()
    three = [["Sports", "World", "Other"][row % 3] for row in range(len(texts))]
    wider = library.plan(recipe(), (texts, three))
    assert wider.total == library.plan(recipe()).total + 16 + 1  # one label more of a linear map
    for mode in ("uniform", "measured"):
        options = ["adapter.fit=400", f"adapter.fit_mode={mode}"]
        to_fit = library.load_recipe("recipe.yaml", options)
        ours = library.fit_ranks(to_fit, data=(texts, labels), test=rows("test.csv"))
        assert ours.adapter == library.fit_ranks(to_fit).adapter, mode
        assert ours.data.train == "texts in memory"
    pairs = ((text, label) for text, label in zip(texts, labels, strict=True))
    records = ({"text": text, "label": label} for text, label in pairs)  # can be read once only
    trained = library.train_seeds(recipe(), [0, 1], "seeds", data=records, test=rows("test.csv"))
    files = library.train_seeds(recipe(), [0, 1], "files")
    assert trained.figures == files.figures
    again = library.train_seeds(recipe(), [0], "seeds", data=(texts, labels), test=rows("test.csv"))
    assert again.runs[0] == trained.runs[0]
    with pytest.raises(RunError, match=r"seed-0: was trained on other texts; "):
        library.train_seeds(recipe(), [0], "seeds", data=(texts, three), test=rows("test.csv"))


def test_the_hash_is_of_what_was_read(workplace: Path) -> None:
    read = sha256_file(Path("train.csv"))

    def edit(total_steps: int) -> None:
        with open("train.csv", "a", encoding="utf-8") as stream:
            stream.write("the a,World\n")

    run = library.train(recipe(), "mine", observer=library.Observer(start=edit))
    assert sha256_file(Path("train.csv")) != read
    assert json.loads(run.certificate.read_text())["sha256"]["data"]["train"] == read
    with pytest.raises(DataError, match=r"train.csv: is not there as the run mine read it"):
        library.estimate(run, "test.csv")


def test_verbs_take_a_run_a_source_and_a_loaded_classifier(workplace: Path) -> None:
    texts, labels = rows("test.csv")
    source = library.ModelSource("run", precision="float32", device="cpu")
    classifier = library.load(source)
    ways: list[Any] = ["run/adapter", library.Run(Path("run")), source, classifier]
    figures = [library.evaluate(way, "test.csv", accuracy=None) for way in ways[1:]]
    assert len({figure.accuracy for figure in figures}) == 1
    assert library.classify(classifier, texts) == library.classify(source, texts)
    for number, way in enumerate((source, classifier)):
        assert library.predict(way, texts, f"{number}.csv") == len(texts)
        expected = library.stress(way, (texts, labels), kinds=["upper"], strengths=[1.0])
        assert expected.source == "texts in memory"
        estimated = library.estimate(way, texts, validation=(texts, labels))
        assert estimated.rows == len(texts)
    assert Path("0.csv").read_text() == Path("1.csv").read_text()


def test_a_loaded_classifier_says_what_only_a_run_has(workplace: Path) -> None:
    classifier = library.load("run", precision="float32")
    for verb in (library.evaluate, library.stress):
        with pytest.raises(DataError, match="the loaded classifier: has no test data of its own"):
            verb(classifier)
    with pytest.raises(RunError, match="the loaded classifier: is no run"):
        library.evaluate(classifier, "test.csv", accuracy=0.9)
    with pytest.raises(RunError, match="the loaded classifier: is no run"):
        library.estimate(classifier, "test.csv")
    with pytest.raises(RunError, match="the loaded classifier: has no recipe"):
        library.estimate("run", "test.csv", others=[classifier])
    with pytest.raises(RunError, match="no classifier is named"):
        library.load(library.ModelSource())


def test_a_classifier_evaluates_explains_and_saves_itself(workplace: Path) -> None:
    texts, labels = rows("test.csv")
    classifier = library.load("run", precision="float32")
    whole = library.evaluate(library.ModelSource("run", precision="float32"))
    own = classifier.evaluate(texts, labels)
    assert (own.accuracy, own.slices) == (whole.accuracy, whole.slices)
    by_region = [
        {"text": t, "label": n, "region": t[-1]} for t, n in zip(texts, labels, strict=True)
    ]
    slices = classifier.evaluate(by_region, slice_by=["region"]).slices or ()
    assert {entry.value for entry in slices if entry.by == "region"} == {"0", "1", "2"}

    words = classifier.explain(texts[:2])
    assert [[word for word, _ in own] for own in words] == [text.split() for text in texts[:2]]
    kept = " ".join(texts[0].split()[1:])
    label = classifier.predict_proba(texts[:1]).argmax()
    fall = (
        classifier.predict_proba(texts[:1])[0, label] - classifier.predict_proba([kept])[0, label]
    )
    assert words[0][0][1] == pytest.approx(fall, abs=1e-6)

    expected = classifier.predict_proba(texts)
    classifier.save("copy")
    for path in Path("run/adapter").iterdir():
        assert (Path("copy") / path.name).read_bytes() == path.read_bytes(), path.name
    merged = library.load("copy", precision="float32", merge=True)
    merged.save("from-merged")
    assert library.load("from-merged", precision="float32").predict_proba(texts) == pytest.approx(
        expected, abs=1e-6
    )
    with pytest.raises(RunError, match="copy"):
        classifier.save("copy")


def test_labelled_texts_in_memory_are_audited(workplace: Path) -> None:
    texts, labels = rows("train.csv")
    audited = library.audit(
        ([*texts, texts[0]], [*labels, labels[0]]), rows("test.csv"), label_views="none",
        run=library.ModelSource(encoder="encoder"),
    )  # fmt: skip
    assert audited.splits[0].rows == len(texts) + 1
    assert "duplicates" in audited.defects
    assert library.audit(texts, label_views="none", run="run").splits[0].labels == {}
    with pytest.raises(DataError, match="--fix copies a file"):
        library.audit((texts, labels), label_views="none", fix="fixed.csv")


def test_the_example_with_lists_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program = runpy.run_path(str(ROOT / "examples" / "lists_in_memory.py"))
    assert program["classifier"].predict(["The team lost the final by one goal."]) == ["sport"]
    assert "Evaluation of texts in memory: accuracy" in capsys.readouterr().out
