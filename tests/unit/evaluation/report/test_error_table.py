"""Errors as the page shows them: read back, cut to size, words marked where they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.importance import Importance
from ranklet.evaluation.predictions import Predictions, write_error_rows
from ranklet.evaluation.report.error_table import (
    MOST_ERRORS,
    ErrorRow,
    mark_words,
    read_error_table,
)


def row_of(text: str, *words: tuple[str, float]) -> ErrorRow:
    return ErrorRow(0, text, "a", "b", 0.1, 0.9, words=words)


def write(folder: Path, number: int) -> None:
    """Write errors of rows 0, 1, 2, ..., the later the less sure."""
    predictions = Predictions(
        labels=("a",) * number,
        predicted=("b",) * number,
        confidence=np.linspace(0.9, 0.5, number, dtype=np.float32),
        right=np.zeros(number, dtype=bool),
    )
    texts = [f'text "{row}",\nsecond line' for row in range(number)]
    shares = np.full(number, 0.125, dtype=np.float32)
    suspects = np.arange(number) == 1
    write_error_rows(folder / "test_errors.csv", texts, predictions, shares, suspects)


def test_errors_are_read_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path, 2)
    importance = Importance("occlusion", {1: (("text", 0.5), ("second", -0.25))})
    table = read_error_table(tmp_path / "test_errors.csv", "test", importance)
    assert table is not None
    assert table.rows[0] == ErrorRow(0, 'text "0",\nsecond line', "a", "b", 0.125, 0.9)
    assert table.rows[1].is_suspect
    assert table.rows[1].words == (("text", 0.5), ("second", -0.25))
    assert (table.total, table.method, table.labels) == (2, "occlusion", ("a", "b"))
    assert table.file == f"{tmp_path.name}/test_errors.csv"


def test_the_page_shows_no_more_than_500(tmp_path: Path) -> None:
    write(tmp_path, MOST_ERRORS + 3)
    table = read_error_table(tmp_path / "test_errors.csv", "test", None)
    assert table is not None
    assert (len(table.rows), table.total, table.method) == (MOST_ERRORS, MOST_ERRORS + 3, "")


def test_a_run_without_errors_of_one_label_has_no_table(tmp_path: Path) -> None:
    assert read_error_table(tmp_path / "test_errors.csv", "test", None) is None


@pytest.mark.parametrize(
    "content",
    [
        "row,text\n0,a\n",
        "row,text,label,predicted,probability of label,confidence\n3,words,a,b,0.125,0.5\n",
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "test_errors.csv").write_text(content)
    with pytest.raises(RunError, match="test_"):
        read_error_table(tmp_path / "test_errors.csv", "test", None)


def test_words_are_marked_by_sign_and_strength() -> None:
    words = (("The", 0.9), ("cat", -0.3), ("sat", 0.59), ("down", 0.0))
    assert mark_words(row_of("The cat  sat\ndown.", *words)) == [
        ("The", "for3"),
        (" ", ""),
        ("cat", "against2"),
        ("  ", ""),
        ("sat", "for2"),
        ("\ndown.", ""),
    ]
    assert mark_words(row_of("a b", ("a", 0.1), ("b", -1.0)))[0] == ("a", "for1")


def test_equal_words_are_marked_where_they_stand() -> None:
    words = (("so", 0.0), ("so", 1.0), ("gone", 1.0), ("good", -1.0))
    assert mark_words(row_of("so so good", *words)) == [
        ("so ", ""),
        ("so", "for3"),
        (" ", ""),
        ("good", "against3"),
    ]


def test_the_twelve_strongest_words_are_marked_and_no_character_is_lost() -> None:
    words = [(f"w{place:02}", (-1) ** place * (place + 1) / 100) for place in range(40)]
    text = " ".join(word for word, _ in words)
    parts = mark_words(row_of(text, *words))
    assert "".join(part for part, _ in parts) == text
    assert [part for part, mark in parts if mark] == [word for word, _ in words[-12:]]


def test_a_text_without_importance_is_one_part_cut_at_1000_characters() -> None:
    assert mark_words(row_of("x" * 1_500)) == [("x" * 1_000, "")]
