"""What labels mean: alike in every format, decided by a whole column, refused where in doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranklet.data.examples import Examples, distinct_labels, encode_labels
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import Split, read_examples
from ranklet.errors import DataError
from ranklet.labels import LabelSet

MULTI = "multi_label_classification"
FORMATS = ("csv", "jsonl", "parquet", "memory")


def read(
    folder: Path, kind: str, labels: list[Any], split: Split = "train", **settings: Any
) -> Examples:
    """Write labels as a format has them, and read them."""
    texts = [f"text {row}" for row in range(len(labels))]
    path = folder / f"a.{kind}"
    if kind == "csv":
        cells = ['"' + str(label).replace('"', '""') + '"' for label in labels]
        rows = [f"{text},{cell}" for text, cell in zip(texts, cells, strict=True)]
        path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    elif kind == "jsonl":
        rows = [json.dumps({"text": a, "label": b}) for a, b in zip(texts, labels, strict=True)]
        path.write_text("\n".join(rows) + "\n")
    elif kind == "parquet":
        pq.write_table(pa.table({"text": texts, "label": labels}), path)
    source = (texts, labels) if kind == "memory" else str(path)
    return read_examples(source, split, ReadingSettings(**settings))


ALIKE: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "integers": ([2, 10, 1], ("1", "2", "10")),
    "fractions that are integers": ([2.0, 10.0, 1.0], ("1", "2", "10")),
    "fractions": ([2.5, 10.0, 1.0], ("1", "2.5", "10")),
    "negative": ([-1, 1, 0], ("-1", "0", "1")),
    "booleans": ([True, False], ("False", "True")),
    "names": (["b", "a"], ("a", "b")),
    "lists of one": ([["b"], ["a"]], ("a", "b")),
    "lists of an integer": ([[2], [10]], ("2", "10")),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("labels", "names"), ALIKE.values(), ids=ALIKE)
def test_labels_are_alike_in_every_format(
    tmp_path: Path, kind: str, labels: list[Any], names: tuple[str, ...]
) -> None:
    assert distinct_labels(read(tmp_path, kind, labels)).names == names


@pytest.mark.parametrize("trained", FORMATS)
@pytest.mark.parametrize("tested", FORMATS)
@pytest.mark.parametrize("labels", [[True, False], [1.0, 2.0], [0.5, 1.0]])
def test_labels_of_one_format_are_known_in_another(
    tmp_path: Path, trained: str, tested: str, labels: list[Any]
) -> None:
    known = distinct_labels(read(tmp_path, trained, labels))
    other = read(tmp_path, tested, labels[:1], "test")
    assert (
        encode_labels(other, known).tolist()
        == encode_labels(read(tmp_path, trained, labels), known)[:1].tolist()
    )


def test_a_label_that_is_written_otherwise_than_in_training_is_known() -> None:
    examples = Examples(("a", "b", "c"), ("1", "TRUE", "x"), (1, 2, 3), "a")
    assert encode_labels(examples, LabelSet(("true", "1.0", "x"))).tolist() == [1, 0, 2]


@pytest.mark.parametrize("labels", [["01", "1"], ["²", "2"], ["--2", "2"], ["1", "10", "9", "x"]])
def test_the_order_of_odd_numbers_is_that_of_their_letters(labels: list[str]) -> None:
    for given in (labels, labels[::-1]):
        assert LabelSet.from_values(given).names == tuple(sorted(labels))


@pytest.mark.parametrize(
    ("cells", "sets"),
    [
        (["a|b", "b", ""], [("a", "b"), ("b",), ()]),
        (["a, b", "b", ""], [("a", "b"), ("b",), ()]),
        (["a;b", "b", " "], [("a", "b"), ("b",), ()]),
        (["['b', 'a']", "['b']", "[]"], [("a", "b"), ("b",), ()]),
        (["['b' 'a']", "['b']", "[]"], [("a", "b"), ("b",), ()]),
        (["[ 2 27]", "[27]", "[]"], [("2", "27"), ("27",), ()]),
        (['["a", "b"]', '["b"]', "[]"], [("a", "b"), ("b",), ()]),
        (["{'a', 'b'}", "{'b'}", "()"], [("a", "b"), ("b",), ()]),
        (["Sci, Tech|World", "World", "Sci, Tech"], [("Sci, Tech", "World"), ("World",),
                                                     ("Sci, Tech",)]),
    ],
)  # fmt: skip
def test_several_labels_in_a_cell_are_found(
    tmp_path: Path, cells: list[str], sets: list[tuple[str, ...]]
) -> None:
    assert read(tmp_path, "csv", cells, problem_type=MULTI).labels == tuple(sets)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["a+b", "a", "b"], "the first is 'a\\+b'; .* data.label_separator=\\+"),
        (["Sci, Tech", "Sci, Tech", "World"], "in 'Sci, Tech'; set data.label_separator=comma or"),
        (["a,b;c", "a", "b"], "data.label_separator=comma or data.label_separator=semicolon"),
        (["a", "b"], "set data.problem_type=single_label_classification"),
    ],
)
def test_cells_in_doubt_are_refused_with_one_of_them(
    tmp_path: Path, cells: list[str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, "csv", cells, problem_type=MULTI)


def test_a_separator_that_is_stated_is_the_only_one(tmp_path: Path) -> None:
    found = read(tmp_path, "csv", ["a,b+c", "c", "d"], problem_type=MULTI, label_separator="+")
    assert found.labels == (("a,b", "c"), ("c",), ("d",))


def test_names_stand_for_the_integers_that_occur(tmp_path: Path) -> None:
    found = read(tmp_path, "csv", [4, 1, 2, 4, 3], label_names=tuple("abcd"))
    assert found.labels == ("d", "a", "b", "d", "c")
    assert found.label_values == (1, 2, 3, 4)
    assert found.spellings == {"a": "1", "b": "2", "c": "3", "d": "4"}
    other = ReadingSettings(label_names=tuple("abcd"), label_values=found.label_values)
    few = read_examples((["x", "y"], [1, 3]), "test", other)
    assert few.labels == ("a", "c")
    with pytest.raises(DataError, match=r"label '0' is not one of .* an integer out of 1, 2, 3, 4"):
        read_examples((["x"], [0]), "test", other)


@pytest.mark.parametrize("labels", [[False, True], ["false", "TRUE"]])
def test_two_names_stand_for_booleans(tmp_path: Path, labels: list[Any]) -> None:
    assert read(tmp_path, "csv", labels, label_names=("ham", "spam")).labels == ("ham", "spam")


def test_what_is_read_otherwise_than_written_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, "csv", ["World ", "World", "pos", "POS"])
    assert found.labels == ("World", "World", "pos", "POS")
    assert found.notes == (
        "labels: 'World ' is read as 'World'",
        "labels: 'POS', 'pos' differ in capitals alone and are not the same label",
    )
    found = read(tmp_path, "csv", ["1.0", "1", "2.0", "2.0"])
    assert found.notes == ("labels: '1.0' is read as '1', '2.0' is read as '2'",)
    assert found.spellings == {"1": "1.0", "2": "2.0"}


@pytest.mark.parametrize("kind", FORMATS)
def test_measurements_are_no_labels(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"30 different numbers in 30 rows: .* regression is not"):
        read(tmp_path, kind, [row / 7 for row in range(30)])


@pytest.mark.parametrize("classes", [20, 150])
def test_many_integer_classes_are_labels(tmp_path: Path, classes: int) -> None:
    assert len(distinct_labels(read(tmp_path, "csv", [*range(classes)] * 3))) == classes


@pytest.mark.parametrize("values", ["10", ("1", "0"), ("1.0", "0.0"), ("True", "False")])
def test_a_column_for_each_label(tmp_path: Path, values: Any) -> None:
    one, no = values
    path = tmp_path / "a.csv"
    path.write_text(f"text,rude,bad\na,{one},{no}\nb,{no},{no}\nc,{one},{one}\n")
    settings = ReadingSettings(problem_type=MULTI, label_columns=("rude", "bad"))
    found = read_examples(str(path), "train", settings)
    assert found.labels == (("rude",), (), ("bad", "rude"))
    assert found.label_names == ("rude", "bad")
    with pytest.raises(DataError, match=r"a\.csv:3: .* 0 labels .* data\.problem_type=multi"):
        read_examples(str(path), "train", ReadingSettings(label_columns=("rude", "bad")))


def test_a_column_for_each_label_holds_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,rude,bad\na,1,0\nb,-1,0\n")
    settings = ReadingSettings(problem_type=MULTI, label_columns=("rude", "bad"))
    with pytest.raises(DataError, match=r"a\.csv:3: column 'rude': found '-1' where 0 or 1"):
        read_examples(str(tmp_path / "a.csv"), "train", settings)
    missing = ReadingSettings(problem_type=MULTI, label_columns=("rude", "worse"))
    with pytest.raises(DataError, match=r"no column 'worse'; .* name it: data\.label_columns"):
        read_examples(str(tmp_path / "a.csv"), "train", missing)
