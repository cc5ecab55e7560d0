"""Physical lines and the records in them: where lines end, and which line a message names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO

import pytest

from ranklet.data.reading import lines
from ranklet.data.reading.delimited import read_delimited
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.json_lines import read_json_lines
from ranklet.data.reading.lines import read_lines
from ranklet.data.reading.row import Row
from ranklet.errors import DataError


def test_a_line_may_have_the_most_bytes_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 8)
    assert list(read_lines(BytesIO(b"1234567\n12345678"), "a")) == [
        (1, "1234567\n"),
        (2, "12345678"),
    ]
    with pytest.raises(DataError, match=r"^a:2: line of more than 8 bytes; split it$"):
        list(read_lines(BytesIO(b"1234567\n12345678\n"), "a"))


def csv_rows(file: BinaryIO) -> Iterator[Row]:
    return read_delimited(file, "a", Dialect(","))


def json_rows(file: BinaryIO) -> Iterator[Row]:
    return read_json_lines(file, "a")


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (csv_rows, b"text,label\n\n\n\none,World\n"),
        (json_rows, b'{"text": "one"}\n\n\n\n{"text": "two"}\n'),
    ],
)
def test_of_several_blank_lines_the_first_is_named(
    read: Callable[[BinaryIO], Iterator[Row]], content: bytes
) -> None:
    with pytest.raises(DataError, match=r"^a:2: blank line between rows; delete it$"):
        list(read(BytesIO(content)))
