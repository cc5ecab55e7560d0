"""The columns of texts and labels: found where rows leave no doubt, else asked for."""

from __future__ import annotations

import pytest

from ranklet.data.reading.find_columns import FoundColumns, find_columns
from ranklet.data.reading.row import Row, typed_row
from ranklet.errors import DataError

TEXTS = [f"the goal of the match {number}" for number in range(8)]
OTHERS = [f"a treaty on a border, number {number}" for number in range(8)]
TWO = ["yes", "no"] * 4


def rows(**columns: list[object]) -> list[Row]:
    names = list(columns)
    cells = zip(*columns.values(), strict=True)
    return [typed_row(line, dict(zip(names, row, strict=True))) for line, row in enumerate(cells)]


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"a": TEXTS, "b": TWO}, "a", "b"),
        ({"id": list(range(8)), "b": TWO, "a": TEXTS}, "a", "b"),
        ({"text": TEXTS, "title": OTHERS, "label": TWO, "split": ["x"] * 8}, "text", "label"),
        ({"Sentence": TEXTS, "note": OTHERS, "Label": TWO, "seen": TWO}, "Sentence", "Label"),
        ({"a": TEXTS, "stars": [1, 2] * 4}, "a", "stars"),
        ({"a": [f"天気がとてもいいですね今日は{n}" for n in range(8)], "b": TWO}, "a", "b"),
    ],
)  # fmt: skip
def test_found(columns: dict[str, list[object]], text: str, label: str) -> None:
    assert find_columns(rows(**columns), "a.csv") == FoundColumns((text,), label)


def test_lists_are_labels() -> None:
    several = rows(a=TEXTS, tags=[["x"], ["x", "y"]] * 4)
    assert find_columns(several, "a.jsonl") == FoundColumns(("a",), "tags")
    single = rows(a=TEXTS, tags=[["x"], ["y"]] * 4)
    assert find_columns(single, "a.jsonl") == FoundColumns(("a",), "tags")


def test_what_a_person_names_is_taken() -> None:
    given = find_columns(rows(a=TEXTS, b=OTHERS, c=TWO, d=TWO), "a.csv", ["b", "a"], "d")
    assert given == FoundColumns(("b", "a"), "d")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": TEXTS, "b": OTHERS, "c": TWO}, "columns 'a', 'b' may be the text; .* --text \"a\""),
        ({"a": TEXTS, "b": TWO, "c": TWO}, "columns 'b', 'c' may be the label; .* --label \"b\""),
        ({"a": TWO, "b": TWO}, "no column seems to be the text; the columns are 'a', 'b'"),
        ({"a": TEXTS, "b": ["x"] * 8}, "no column seems to be the label"),
        (
            {"a": TEXTS, "b": [str(number) for number in range(8)]},
            "no column seems to be the label",
        ),
        ({"a": TEXTS, "b": ["yes", "no", "", "no"] * 2}, "no column seems to be the label"),
    ],
)
def test_in_doubt(columns: dict[str, list[object]], says: str) -> None:
    with pytest.raises(DataError, match=f"^a.csv: {says}"):
        find_columns(rows(**columns), "a.csv")
