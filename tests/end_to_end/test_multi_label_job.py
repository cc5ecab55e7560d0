"""A text with any number of labels, through the command line and scikit-learn."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ranklet as library

Command = Callable[..., Any]

WORDS = {
    "Sports": ["team", "goal", "match", "coach"],
    "World": ["minister", "treaty", "border", "envoy"],
}
RECIPE = """\
encoder: encoder
budget: 10_000
data:
  train: several.csv
  test: test.csv
  max_length: 16
  validation: 16
  problem_type: multi_label_classification
adapter: {rank: 2, target_modules: all-linear}
training: {epochs: 20, batch_size: 8, learning_rate: 1e-2, metric: macro_f1}
engine: {device: cpu, precision: float32}
"""


def rows_of_text(number: int, first: int = 0) -> list[tuple[str, list[str]]]:
    """Texts about sports, the world, both or nothing."""
    rows = []
    for row in range(first, first + number):
        names = [name for bit, name in enumerate(WORDS) if row >> bit & 1]
        words = [WORDS[name][(row // 4 + row) % 4] for name in names]
        rows.append((f"the {' '.join(words)} a {row}", names))
    return rows


def write_csv(path: str, rows: list[tuple[str, list[str]]]) -> None:
    lines = [f"{text},{'|'.join(names)}" for text, names in rows]
    Path(path).write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def trained_once(
    made_once: Path, train_in: Command, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a finished multi-label run `run`."""
    folder = tmp_path_factory.mktemp("several")
    shutil.copytree(made_once / "encoder", folder / "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("recipe.yaml").write_text(RECIPE, encoding="utf-8")
        write_csv("several.csv", rows_of_text(80))
        write_csv("test.csv", rows_of_text(24, first=100))
    train_in(folder, "run")
    return folder


@pytest.fixture
def place(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working directory."""
    folder = tmp_path / "place"
    shutil.copytree(trained_once, folder)
    monkeypatch.chdir(folder)
    return folder


def read_json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_runs_are_compared_by_exact_match_and_macro_f1(place: Path, ranklet: Command) -> None:
    shutil.copytree("run", "again")
    recipe = Path("again/recipe.yaml")
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("seed: 0", "seed: 1"))
    answer = ranklet("compare", "run", "again")
    assert answer.returncode == 0, answer.stderr
    assert "exact match" in answer.stdout
    assert "micro F1" in answer.stdout
    assert "run and again are equal in exact match on 24 rows" in answer.stdout
    assert "noise (p = 1), macro F1 too" in answer.stdout


def test_stress_counts_texts_with_all_their_labels(place: Path, ranklet: Command) -> None:
    asked = "stress run --kinds word_drops --strengths 1 --precision float32 --json"
    answer = ranklet(*asked.split())
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["accuracy_name"], found["sureness"]) == ("exact match", None)
    source = library.ModelSource("run", precision="float32")
    assert found["accuracy"]["value"] == library.evaluate(source).accuracy.value
    (point,) = found["points"]
    # One word is left of each text, so a text of both labels loses one of them.
    assert point["flipped"] >= point["lost"] > 0
    assert ranklet("verify", "run").returncode == 0


def test_a_run_states_what_its_answers_are(place: Path) -> None:
    settings = read_json("run/adapter/classifier.json")
    assert settings["problem_type"] == "multi_label_classification"
    assert len(settings["thresholds"]) == 2
    test, validation = (read_json(f"run/evaluation/{n}.json") for n in ("test", "validation"))
    assert test["rows"] == 24
    assert test["confusion"] == []
    assert test["label_sets"]["thresholds"] == settings["thresholds"]
    assert test["label_sets"]["f1_micro"]["value"] > 0.8
    assert [entry["support"] for entry in test["classes"]] == [12, 12]
    # The thresholds of the best moment are those of the finished run.
    best = read_json("run/environment.json")["best_validation"]
    assert best["macro_f1"] == pytest.approx(validation["f1"]["macro"]["value"], abs=1e-12)
    assert best["accuracy"] == pytest.approx(validation["accuracy"], abs=1e-12)
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "Exact match on test" in page
    assert "Decisions by label" in page
    assert "true class" not in page
    card = Path("run/adapter/README.md").read_text(encoding="utf-8")
    assert "num_labels=2,\n" in card
    assert 'problem_type="multi_label_classification",\n)' in card
    assert f"Sports {settings['thresholds'][0]:.4f}" in card
    assert not (Path("run/figures") / "test_confusion_counts.svg").exists()


def test_predict_evaluate_classify_and_verify(place: Path, ranklet: Command) -> None:
    done = ranklet("predict", "run", "test.csv", "--output", "out.csv", "--probabilities")
    assert done.returncode == 0, done.stderr
    with Path("out.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    model = library.load("run", precision="float32")
    texts = [text for text, _ in rows_of_text(24, first=100)]
    expected = model.predict(texts)
    assert {len(labels) for labels in expected} == {0, 1, 2}
    assert [row["label"] for row in rows] == ["|".join(labels) for labels in expected]
    both = next(row for row in rows if row["label"] == "Sports|World")
    each = [both["probability of Sports"], both["probability of World"]]
    assert both["probability"] == "|".join(each)
    assert model.predict_proba(texts).sum(1).max() > 1.2

    assert ranklet("predict", "run", "test.csv", "--output", "out.jsonl").returncode == 0
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [tuple(line["label"]) for line in lines] == expected

    printed = ranklet("evaluate", "run", "--precision", "float32")
    assert printed.returncode == 0, printed.stderr
    assert "exact match" in printed.stdout
    assert "Hamming loss" in printed.stdout
    told = ranklet("evaluate", "run", "--precision", "float32", "--json")
    assert json.loads(told.stdout) == read_json("run/evaluation/test.json")
    # What was predicted can be evaluated: the same columns, and every answer is right.
    text_and_label = zip(texts, expected, strict=True)
    write_csv("answers.csv", [(text, list(labels)) for text, labels in text_and_label])
    own = ranklet("evaluate", "run", "--data", "answers.csv", "--precision", "float32", "--json")
    assert json.loads(own.stdout)["accuracy"] == 1.0

    answer = ranklet("classify", "run", texts[3], texts[0]).stdout.splitlines()
    assert answer[0] == "|".join(expected[3])
    without = texts[expected.index(())]
    assert ranklet("classify", "run", without).stdout.startswith("(no label)\n")

    checks = ranklet("verify", "run", "--data", "test.csv", "--json")
    states = {each["name"]: each["state"] for each in json.loads(checks.stdout)}
    assert set(states.values()) == {"ok"}, checks.stdout


def test_verify_notices_a_changed_threshold_and_a_changed_count(
    place: Path, ranklet: Command
) -> None:
    def differing() -> set[str]:
        told = json.loads(ranklet("verify", "run", "--json").stdout)
        return {each["name"] for each in told if each["state"] == "differs"}

    settings = read_json("run/adapter/classifier.json")
    settings["thresholds"][0] /= 2
    Path("run/adapter/classifier.json").write_text(json.dumps(settings))
    assert differing() == {"adapter"}
    found = read_json("run/evaluation/test.json")
    found["label_sets"]["confusion"][0][0] += 1
    Path("run/evaluation/test.json").write_text(json.dumps(found))
    assert differing() == {"adapter", "evaluation"}


def test_elsewhere_without_the_run_it_answers_alike(
    place: Path, ranklet: Command, tmp_path: Path
) -> None:
    texts = [text for text, _ in rows_of_text(8)]
    expected = library.load("run", precision="float32").predict(texts)
    shutil.copytree("run/adapter", "alone")
    assert library.load("alone", precision="float32").predict(texts) == expected
    told = ranklet("evaluate", "alone", "--data", "test.csv", "--precision", "float32", "--json")
    accuracy = read_json("run/evaluation/test.json")["accuracy"]
    assert json.loads(told.stdout)["accuracy"] == accuracy
    settings = read_json("alone/classifier.json")
    # The same files read as one label a text answer otherwise.
    settings |= {"problem_type": "single_label_classification", "thresholds": None}
    Path("alone/classifier.json").write_text(json.dumps(settings))
    assert library.load("alone", precision="float32").predict(texts) != expected
    settings["thresholds"] = [0.5, 0.5]
    Path("alone/classifier.json").write_text(json.dumps(settings))
    with pytest.raises(library.RankletError, match="thresholds: must be 2 numbers"):
        library.load("alone")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, about what peft reads
def test_peft_and_the_card_answer_alike(place: Path) -> None:
    """The base as the model card opens it, sigmoid, and the thresholds: the same labels."""
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    base = transformers.AutoModelForSequenceClassification.from_pretrained(
        "encoder", num_labels=2, problem_type="multi_label_classification"
    )
    theirs = peft.PeftModel.from_pretrained(base, "run/adapter").eval()
    assert theirs.base_model.model.config.problem_type == "multi_label_classification"
    ours = library.load("run", precision="float32")
    thresholds = read_json("run/adapter/classifier.json")["thresholds"]
    answers, sabotaged = [], []
    texts = [text for text, _ in rows_of_text(12, first=100)]
    for text in texts:
        corpus = ours.network.corpus([text])
        with torch.inference_mode():
            logits = theirs(torch.tensor(corpus.token_ids[None], dtype=torch.int64)).logits
        probabilities = logits.sigmoid().numpy()
        assert probabilities == pytest.approx(ours.predict_proba([text]), abs=1e-5)
        for into, found in ((answers, probabilities), (sabotaged, logits.softmax(-1).numpy())):
            given = zip(ours.labels.names, found[0], thresholds, strict=True)
            into.append(tuple(name for name, p, threshold in given if p >= threshold))
    assert answers == ours.predict(texts)
    assert sabotaged != ours.predict(texts)


def test_weights_and_smoothing_train_too(place: Path) -> None:
    options = ["training.epochs=1", "training.label_smoothing=0.1"]
    balanced = library.load_recipe("recipe.yaml", [*options, "training.class_weights=balanced"])
    named = library.load_recipe("recipe.yaml", [*options, "training.class_weights={World: 9}"])
    runs = [library.train(recipe, f"run {n}") for n, recipe in enumerate((balanced, named))]
    losses = []
    for run in runs:
        records = map(json.loads, run.metrics.read_text().splitlines())
        losses.append(np.mean([record["loss"] for record in records if record["kind"] == "train"]))
    assert losses[1] > 1.3 * losses[0] > 0


def test_shrunk_it_keeps_its_thresholds(place: Path, ranklet: Command) -> None:
    done = ranklet("shrink", "run", "--budget", "500", "--out", "small")
    assert done.returncode == 0, done.stderr
    assert "exact match" in done.stdout
    thresholds = [read_json(f"{name}/adapter/classifier.json")["thresholds"]
                  for name in ("run", "small")]  # fmt: skip
    assert thresholds[0] == thresholds[1]
    assert ranklet("verify", "small").returncode == 0


def test_seeds_and_the_other_formats(place: Path, ranklet: Command) -> None:
    rows = [json.dumps({"text": text, "label": names}) for text, names in rows_of_text(80)]
    Path("several.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    few = ("--set", "training.epochs=1", "--set", "training.loss=focal")
    done = ranklet("train", "recipe.yaml", "--seeds", "0..1", "--out", "seeds", *few)
    assert done.returncode == 0, done.stderr
    lists = ("--set", "data.train=several.jsonl", "--set", "seed=1")
    assert ranklet("train", "recipe.yaml", "--out", "lists", *lists, *few).returncode == 0
    files = [Path(name, "adapter/adapter_model.safetensors") for name in ("seeds/seed-1", "lists")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_submission_of_one_label_a_text_is_refused(place: Path, ranklet: Command) -> None:
    done = ranklet("predict", "run", "test.csv", "--output", "out.csv", "--submission")
    assert (done.returncode, done.stdout) == (2, "")
    assert "submission writes one" in done.stderr
    assert not Path("out.csv").exists()


def test_scikit_learn(place: Path) -> None:
    import pickle

    from scipy.sparse import csr_array
    from sklearn.metrics import accuracy_score
    from sklearn.preprocessing import MultiLabelBinarizer

    from ranklet.sklearn import LoraTextClassifier

    texts = [text for text, _ in rows_of_text(64)]
    y = MultiLabelBinarizer().fit_transform([names for _, names in rows_of_text(64)])
    classifier = LoraTextClassifier(
        encoder="encoder", rank=2, target_modules="all-linear", epochs=8, batch_size=8,
        learning_rate=2e-2, validation=16, max_length=16,
        settings={"engine.precision": "float32", "engine.device": "cpu"},
    )  # fmt: skip
    classifier.fit(texts, y)
    predicted = classifier.predict(texts)
    assert predicted.shape == y.shape
    assert set(np.unique(predicted)) <= {0, 1}
    assert classifier.score(texts, y) == accuracy_score(y, predicted) > 0.6
    assert classifier.classes_.tolist() == [0, 1]
    again = pickle.loads(pickle.dumps(classifier))
    assert (again.predict(texts) == predicted).all()
    sparse = classifier.set_params(epochs=1).fit(texts, csr_array(y))
    assert sparse.predict(texts).shape == y.shape
    for wrong in ([["a"], []] * 32, y * 2):
        with pytest.raises(ValueError, match="MultiLabelBinarizer"):
            classifier.fit(texts, wrong)
