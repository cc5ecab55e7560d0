"""Names of columns, by position too, and first lines that are rows."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from ranklet.data.reading.delimited import read_delimited
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.data.reading.header import has_label, looks_like_row, named_columns, without_header
from ranklet.errors import DataError


def test_columns_without_a_name_of_their_own_are_called_by_position() -> None:
    assert named_columns(["", "text", " ", "x", "x"]) == {
        "column1": 0,
        "text": 1,
        "column3": 2,
        "column4": 3,
        "column5": 4,
    }


@pytest.mark.parametrize("name", ["column2", "b"])
def test_a_column_is_read_by_its_name_or_position(name: str) -> None:
    rows = read_delimited(io.BytesIO(b"a,b\n1,2\n"), "a", AS_WRITTEN, [name])
    assert [row.cells for row in rows] == [{name: "2"}]


def test_a_name_goes_before_a_position() -> None:
    rows = read_delimited(io.BytesIO(b"column2,b\n1,2\n"), "a", AS_WRITTEN, ["column2"])
    assert [row.cells for row in rows] == [{"column2": "1"}]


@pytest.mark.parametrize("name", ["column3", "column0", "column03"])
def test_a_position_that_is_not_there_is_no_column(name: str) -> None:
    with pytest.raises(DataError, match=f"no column '{name}'; the columns are 'a', 'b'"):
        list(read_delimited(io.BytesIO(b"a,b\n1,2\n"), "a", AS_WRITTEN, [name]))


@pytest.mark.parametrize(
    ("header", "rows", "is_row"),
    [
        (["Great!", "pos"], [["Bad!", "neg"], ["Fine!", "pos"]], True),
        (["text", "label"], [["Bad!", "neg"], ["Fine!", "pos"]], False),
        (["a", "b"], [["a", "b"], ["c", "d"]], False),  # the header once more
        (["0", "1"], [["Bad!", "0"], ["Fine!", "1"]], False),  # columns of pandas
        (["a text of more than five words", "x"], [["b", "y"]], True),
    ],
)
def test_a_first_line_looks_like_a_row_or_like_names(
    header: list[str], rows: list[list[str]], is_row: bool
) -> None:
    assert looks_like_row(header, rows) is is_row
    assert not has_label(header, rows) or is_row


def test_the_setting_names_the_longest_column_text_and_the_fewest_values_label() -> None:
    rows = [[str(row), "ab"[row % 2], f"a text {row}"] for row in range(1, 9)]
    said = without_header(["0", "a", "a text 0"], rows, ["body", "class"], "a.csv", 1)
    assert "data.columns=[column1, class, body]" in str(said)


def test_very_many_columns_take_seconds_not_minutes() -> None:
    code = (
        "import io\n"
        "from ranklet.data.reading.delimited import read_delimited\n"
        "from ranklet.data.reading.dialect import AS_WRITTEN\n"
        "names = ','.join(['text', *(f'column {n}' for n in range(100_000))])\n"
        "content = f'{names}\\n{names}\\n'.encode()\n"
        "for wanted in (['text'], ['txt']):\n"
        "    try:\n"
        "        list(read_delimited(io.BytesIO(content), 'a', AS_WRITTEN, wanted))\n"
        "    except ValueError as error:\n"
        "        assert 'no column' in str(error)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_file_of_which_all_columns_are_read_has_a_header_too() -> None:
    content = b"Great!,pos\nBad!,neg\nFine!,pos\n"
    with pytest.raises(
        DataError, match=r"^a:1: looks like a row; .* data\.columns=\[text, label\]"
    ):
        list(read_delimited(io.BytesIO(content), "a", AS_WRITTEN))
    named = read_delimited(io.BytesIO(content), "a", Dialect(columns=("text", "label")))
    assert [row.cells["label"] for row in named] == ["pos", "neg", "pos"]
