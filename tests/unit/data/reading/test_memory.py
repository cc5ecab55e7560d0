"""Texts in memory: every form of them gives what a file with the same rows gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ranklet.data.examples import Examples
from ranklet.data.reading.memory import IN_MEMORY, LabelledTexts, as_source, plain_texts
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_column, read_examples, stream_texts
from ranklet.errors import DataError
from ranklet.files import sha256_json

TEXTS = ["a goal", "a treaty", "a match"]
LABELS = ["Sports", "World", "Sports"]
ROWS = [{"text": t, "label": n, "region": "EU"} for t, n in zip(TEXTS, LABELS, strict=True)]


class Column:
    """What a pandas Series is to a reader: an iterable with `tolist` and `iloc`."""

    iloc = None

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def tolist(self) -> list[Any]:
        return self.values


class Frame:
    """What a pandas DataFrame is to a reader; iterating over one gives its column names."""

    iloc = None

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.held = columns
        self.columns = list(columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return Column(self.held[name])


class ClassLabel:
    """What `datasets` calls a column of integers with names."""

    def __init__(self, names: list[str]) -> None:
        self.names = names


class Dataset:
    """What a `datasets.Dataset` is to a reader."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any]) -> None:
        self.held, self.features = columns, features
        self.column_names = list(columns)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rows = zip(*self.held.values(), strict=True)
        return (dict(zip(self.column_names, row, strict=True)) for row in rows)

    def __getitem__(self, name: str) -> list[Any]:
        return self.held[name]


def read(data: Any, **options: Any) -> Examples:
    arguments = {"text_column": "text", "label_column": "label", "label_names": None} | options
    return read_examples(data, "train", ReadingSettings(**arguments))


FORMS = {
    "a pair of lists": (TEXTS, LABELS),
    "a pair of arrays": (np.array(TEXTS), np.array(LABELS, dtype=object)),
    "a pair of Series": (Column(TEXTS), Column(LABELS)),
    "the public value": LabelledTexts(TEXTS, LABELS),
    "a DataFrame": Frame({"label": LABELS, "text": TEXTS, "other": [1.5, None, {}]}),
    "a Dataset": Dataset({"text": TEXTS, "label": LABELS}, {"label": None}),
    "a list of dicts": ROWS,
    "a generator of dicts": (row for row in ROWS),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_examples(data: Any) -> None:
    found = read(data)
    assert found == Examples(tuple(TEXTS), tuple(LABELS), (0, 1, 2), IN_MEMORY)
    assert found.sha256 == sha256_json([TEXTS, LABELS])


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    frame = Frame({"title": ["Oil", ""], "body": ["rises", "alone"], "topic": ["B", "W"]})
    found = read(frame, text_column=["title", "body"], label_column="topic")
    assert found.texts == ("Oil rises", " alone")
    assert found.labels == ("B", "W")
    assert read_column(frame, "test", "title") == ["Oil", ""]
    with pytest.raises(DataError, match="no column 'text'; the columns are 'title', 'body'"):
        read(frame)


def test_integers_are_named_as_in_a_file() -> None:
    numbers = np.array([1, 0, 1])
    assert read((TEXTS, numbers)).labels == ("1", "0", "1")
    assert read((TEXTS, numbers), label_names=["No", "Yes"]).labels == ("Yes", "No", "Yes")
    named = LabelledTexts(TEXTS, numbers, label_names=("No", "Yes"))
    dataset = Dataset(
        {"text": TEXTS, "label": [1, 0, 1]}, {"label": ClassLabel(["No", "Yes"]), "text": None}
    )
    for data in (named, dataset):
        assert read(data).labels == ("Yes", "No", "Yes")
        assert read(data).label_names == ("No", "Yes")
    with pytest.raises(DataError, match=r"in memory:1: label '2' is not one of 'No', 'Yes'"):
        read((TEXTS, [0, 2, 1]), label_names=["No", "Yes"])


def test_several_labels_a_text_are_any_collection_of_names() -> None:
    labels = [["b", "a"], (), {"b"}]
    found = read((TEXTS, labels), problem_type="multi_label_classification")
    assert found.labels == (("a", "b"), (), ("b",))
    arrays = [np.array([1, 0]), np.array([], dtype=int), np.array([1])]
    numbered = read((TEXTS, arrays), problem_type="multi_label_classification")
    assert numbered.labels == (("0", "1"), (), ("1",))


REFUSED = {
    "fewer labels": ((TEXTS, LABELS[:2]), "3 texts and 2 labels; give one label a text"),
    "no texts": (([], []), "there are none; give at least one"),
    "no rows": ([], "there are none"),
    "a number for a text": ((["a", 1], ["x", "y"]), "in memory:1: .* found an integer where a t"),
    "no label": ((["a", "b"], ["x", None]), "in memory:1: .* found a null where a label"),
    "NaN among names": (
        (["a", "b"], ["x", float("nan")]),
        "in memory:1: .* found a null where a label",
    ),
    "NaN in a table": (
        Frame({"text": ["a", "b"], "label": [float("nan"), "x"]}),
        "in memory:0: .* found a null where a label",
    ),
    "a missing number": ((["a", "b"], [1.0, float("nan")]), "in memory:1: .* found a null"),
    "one text": (("a text", ["x"]), "are without labels"),
    "a dict of splits": ({"train": ROWS, "test": ROWS}, "are a dict of 'train', 'test'; give"),
    "texts alone": (TEXTS, "are without labels; give"),
    "no data": (3, "are a int; give"),
    "one odd row": ([*ROWS, "a"], "in memory:3: found no dict"),
    "their name": (IN_MEMORY, "a run does not keep them; hand them over again"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_in_one_line(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_texts_alone_serve_where_no_labels_are_needed() -> None:
    for texts in (TEXTS, np.array(TEXTS), Column(TEXTS), iter(TEXTS), ROWS):
        assert [text for _, text in stream_texts(texts, ReadingSettings("text"))] == TEXTS
    assert plain_texts(np.array(TEXTS)) == plain_texts(Column(TEXTS)) == TEXTS
    assert plain_texts([]) == []
    with pytest.raises(DataError, match="are one text; give"):
        plain_texts("a goal")
    with pytest.raises(DataError, match="in memory:1: found a null where a text"):
        plain_texts(["a", None])  # type: ignore[list-item]


def test_a_source_stays_a_name_and_rows_stay_rows() -> None:
    assert as_source("newsbites") == "newsbites"
    rows = as_source((TEXTS, LABELS))
    assert as_source(rows) is rows
