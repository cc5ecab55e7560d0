"""Label sets: figures against scikit-learn, files read as they were written, splits."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.data.duplicates import resolve_duplicates
from ranklet.data.examples import Examples, distinct_labels, encode_labels
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples
from ranklet.data.splits import split_validation
from ranklet.evaluation.label_sets import evaluate_label_sets, label_set_metrics
from ranklet.evaluation.result import Evaluation
from ranklet.json_values import from_values, to_values
from ranklet.labels import LabelSet
from ranklet.problem import MultiLabel

MULTI = "multi_label_classification"
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="|", exclude_categories=("Cc", "Zl", "Zp")),
    min_size=1,
    max_size=8,
).filter(lambda name: name == name.strip())
SETS = st.lists(st.lists(NAMES, max_size=4, unique=True), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("label_sets")


def write(path: Path, sets: list[list[str]]) -> None:
    texts = [f"text {row}" for row in range(len(sets))]
    if path.suffix == ".parquet":
        columns = {"text": texts, "label": pa.array(sets, pa.list_(pa.string()))}
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"text": a, "label": b}) for a, b in zip(texts, sets, strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows([a, "|".join(b)] for a, b in zip(texts, sets, strict=True))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@given(sets=SETS)
@settings(max_examples=40, deadline=None)
def test_label_sets_are_read_as_they_were_written(
    folder: Path, suffix: str, sets: list[list[str]]
) -> None:
    path = folder / f"a.{suffix}"
    write(path, sets)
    read = ReadingSettings(problem_type=MULTI, label_separator="|")
    found = read_examples(str(path), "test", read)
    assert found.labels == tuple(tuple(sorted(names)) for names in sets)
    distinct = {name for names in sets for name in names}
    if len(distinct) > 1:
        labels = distinct_labels(found)
        assert set(labels.names) == distinct
        encoded = encode_labels(found, labels)
        back = [{labels.names[i] for i in np.flatnonzero(row)} for row in encoded]
        assert back == [set(names) for names in sets]


@st.composite
def decisions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, MultiLabel]:
    rows, labels = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = (random.random((rows, labels)) < random.random(labels) ** 2).astype(np.int64)
    thresholds = tuple(float(value) for value in random.random(labels))
    return random.random((rows, labels)).astype(np.float32), truth, MultiLabel(thresholds)


@given(decisions())
@settings(max_examples=40, deadline=None)
def test_every_figure_equals_scikit_learn(case: tuple[np.ndarray, np.ndarray, MultiLabel]) -> None:
    from sklearn import metrics as sk

    probabilities, truth, problem = case
    decided = problem.decide(probabilities).astype(int)
    names = [f"label {index}" for index in range(truth.shape[1])]
    ours = evaluate_label_sets(probabilities, truth, problem, names, "test")
    sets = ours.label_sets
    assert sets is not None
    close = {"rel": 1e-12, "abs": 1e-12}
    assert ours.accuracy.value == pytest.approx(sk.accuracy_score(truth, decided), **close)
    assert sets.hamming_loss.value == pytest.approx(sk.hamming_loss(truth, decided), **close)
    for average, holder in (("macro", ours), ("weighted", ours), ("micro", sets)):
        theirs = sk.precision_recall_fscore_support(
            truth, decided, average=average, zero_division=0
        )
        for score, value in zip(("precision", "recall", "f1"), theirs, strict=False):
            assert getattr(holder, f"{score}_{average}").value == pytest.approx(value, **close)
    by_label = sk.precision_recall_fscore_support(truth, decided, average=None, zero_division=0)
    for score, values in zip(("precision", "recall", "f1"), by_label, strict=False):
        assert [getattr(e, score).value for e in ours.classes] == pytest.approx(values, **close)
    assert [entry.support for entry in ours.classes] == by_label[3].tolist()
    confusion = sk.multilabel_confusion_matrix(truth, decided).reshape(-1, 4)
    assert sets.confusion == tuple(map(tuple, confusion.tolist()))
    losses = [
        sk.log_loss(t, p, labels=[0, 1]) for t, p in zip(truth.T, probabilities.T, strict=True)
    ]
    assert ours.log_loss == pytest.approx(np.mean(losses), rel=1e-5)
    for metric in (ours.f1_macro, sets.f1_micro, sets.hamming_loss, ours.accuracy):
        assert 0 <= metric.interval[0] <= metric.interval[1] <= 1

    written = json.loads(json.dumps(to_values(ours)))
    assert from_values(Evaluation, written, "f", "r") == ours
    assert label_set_metrics(probabilities, truth, problem) == {
        "accuracy": pytest.approx(ours.accuracy.value),
        "macro_precision": pytest.approx(ours.precision_macro.value),
        "macro_recall": pytest.approx(ours.recall_macro.value),
        "macro_f1": pytest.approx(ours.f1_macro.value),
        "loss": ours.log_loss,
    }
    # A sabotaged twin: one decision the other way.
    other = decided.copy()
    other[0, 0] = 1 - other[0, 0]
    assert sk.hamming_loss(truth, other) != pytest.approx(sets.hamming_loss.value)


def test_the_bootstrap_of_kinds_is_that_of_rows() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((300, 3)) < (0.5, 0.3, 0.1)).astype(np.int64)
    probabilities = np.clip(0.3 * truth + 0.7 * random.random((300, 3)), 0, 1).astype(np.float32)
    problem = MultiLabel((0.5, 0.5, 0.5))
    ours = evaluate_label_sets(probabilities, truth, problem, "abc", "test")
    decided = problem.decide(probabilities)
    values = []
    for _ in range(2_000):
        rows = random.integers(0, 300, 300)
        hits = (decided[rows] & (truth[rows] == 1)).sum(0)
        f1 = 2 * hits / np.maximum(decided[rows].sum(0) + truth[rows].sum(0), 1)
        wrong = (decided[rows] != truth[rows]).mean()
        values.append((f1.mean(), wrong))
    expected = np.quantile(values, [0.025, 0.975], axis=0)
    assert ours.label_sets is not None
    assert 0.1 < ours.label_sets.hamming_loss.value < 0.4, "there are errors to resample"
    found = [ours.f1_macro.interval, ours.label_sets.hamming_loss.interval]
    np.testing.assert_allclose(np.transpose(found), expected, atol=0.006)


def examples_of(sets: list[tuple[str, ...]]) -> Examples:
    texts = tuple(f"t{row}" for row in range(len(sets)))
    return Examples(texts, tuple(sets), tuple(range(2, len(sets) + 2)), "a.csv")


@given(
    st.lists(st.sets(st.sampled_from("abcde")).map(lambda names: tuple(sorted(names))), min_size=4,
             max_size=60),
    st.floats(0.05, 0.9), st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_split_takes_exactly_its_rows_and_none_twice(
    sets: list[tuple[str, ...]], share: float, seed: int
) -> None:
    # The first row fixes the form: a row with one name is a tuple too.
    train = examples_of(sets)
    count = min(max(1, round(share * len(sets))), len(sets) - 1)
    kept, taken = split_validation(train, count, seed)
    assert len(taken) == count
    assert sorted((*kept.lines, *taken.lines)) == list(train.lines)
    assert list(taken.lines) == sorted(taken.lines)
    assert (kept, taken) == split_validation(train, count, seed)


def test_a_split_keeps_the_share_of_every_label() -> None:
    random = np.random.default_rng(0)
    names, shares = "abcdef", (0.6, 0.4, 0.2, 0.1, 0.05, 0.02)
    drawn = random.random((1000, 6)) < shares
    train = examples_of([tuple(n for n, has in zip(names, row, strict=True) if has)
                         for row in drawn])  # fmt: skip
    labels = LabelSet(tuple(names))
    whole = encode_labels(train, labels).sum(0)
    for seed in range(3):
        _, taken = split_validation(train, 0.2, seed)
        found = encode_labels(taken, labels).sum(0)
        assert abs(found - 0.2 * whole).max() <= 2
        none = sum(not label for label in taken.labels or ())
        assert abs(none - 0.2 * sum(not label for label in train.labels or ())) <= 8
    assert split_validation(train, 0.2, 0) != split_validation(train, 0.2, 1)


def test_equal_texts_with_other_label_sets_conflict() -> None:
    train = Examples(
        ("One!", "one", "one", "two"), (("a", "b"), ("a", "b"), ("a",), ()), (2, 3, 4, 5), "a.csv"
    )
    kept, report = resolve_duplicates(train, None, None, "drop")
    assert kept.labels == (("a", "b"), ())
    assert (report.within_train, report.conflicting_labels) == (2, 1)
