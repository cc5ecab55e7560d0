"""Separators and quoting: found where they are certain, never read wrongly, else refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ranklet.data.reading import found_dialect
from ranklet.data.reading.delimited import read_delimited
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.errors import DataError

SEPARATORS = [",", ";", "\t", "|"]
# Quotes, separators and line ends far more often than chance would bring them.
CELLS = st.text(st.sampled_from(list("\"',;\t|\n ab")), max_size=8)
TABLES = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8)
Table = Sequence[Sequence[str]]


def read(content: str, dialect: Dialect = AS_WRITTEN, usual: str = ",") -> list[tuple[str, str]]:
    rows = read_delimited(io.BytesIO(content.encode()), "a", dialect, ["text", "label"], usual)
    return [(row.cells["text"], row.cells["label"]) for row in rows]


def read_or_refusal(content: str) -> list[tuple[str, str]] | str:
    try:
        return read(content)
    except DataError as error:
        return str(error)


def written(rows: Table, separator: str, quote: str, quoting: int) -> str:
    sink = io.StringIO(newline="")
    writer = csv.writer(
        sink, delimiter=separator, quotechar=quote, quoting=quoting, lineterminator="\n"
    )
    writer.writerows([("text", "label"), *rows])
    return sink.getvalue()


@given(
    rows=TABLES,
    separator=st.sampled_from(SEPARATORS),
    quote=st.sampled_from("\"'"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example(rows=[(",\n", "")], separator=",", quote='"', quoting=csv.QUOTE_MINIMAL)
@settings(max_examples=200)
def test_what_csv_writes_is_found_or_refused_by_the_setting_that_reads_it(
    rows: Table, separator: str, quote: str, quoting: int
) -> None:
    content = written(rows, separator, quote, quoting)
    stated = Dialect(separator, "double" if quote == '"' else "single")
    assert read(content, stated) == rows
    if quote == "'" and quoting == csv.QUOTE_MINIMAL:
        return  # where nothing but a pair of apostrophes says so, they stay
    found = read_or_refusal(content)
    assert found == rows if isinstance(found, list) else "data.quoting=double" in found


@given(rows=TABLES, separator=st.sampled_from(SEPARATORS))
@settings(max_examples=200)
def test_plain_quotes_are_found_or_refused_or_enclose_a_cell(rows: Table, separator: str) -> None:
    plain = [[cell.replace(separator, "").replace("\n", "") for cell in row] for row in rows]
    content = "".join(f"{separator.join(row)}\n" for row in [["text", "label"], *plain])
    assert read(content, Dialect(separator, "none")) == [tuple(row) for row in plain]
    found = read_or_refusal(content)
    if isinstance(found, str):
        assert "data.quoting=none" in found
        return
    assert len(found) == len(plain)
    for row, own in zip(found, plain, strict=True):
        for cell, as_written in zip(row, own, strict=True):
            enclosed = as_written[:1] in ("'", '"') and as_written[-1] == as_written[0]
            assert cell == as_written or enclosed


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("usual", [",", "\t"])
def test_a_separator_is_found_whatever_the_suffix_says(separator: str, usual: str) -> None:
    others = "".join(mark for mark in SEPARATORS if mark != separator)
    content = f"text{separator}label\na{others}{separator}b\n"
    assert read(content, usual=usual) == [(f"a{others}", "b")]


def test_columns_that_are_wanted_tell_one_separator_from_another() -> None:
    content = "text;x,label\na;b,c\nd;e,f\n"
    rows = read_delimited(io.BytesIO(content.encode()), "a", AS_WRITTEN, ["text"])
    assert [row.cells for row in rows] == [{"text": "a"}, {"text": "d"}]
    rows = read_delimited(io.BytesIO(content.encode()), "a", AS_WRITTEN, ["label"])
    assert [row.cells for row in rows] == [{"label": "c"}, {"label": "f"}]
    with pytest.raises(DataError, match=r"set data\.separator=comma or data\.separator=semicolon"):
        list(read_delimited(io.BytesIO(content.encode()), "a", AS_WRITTEN, []))


def test_a_quote_behind_the_beginning_that_swallows_rows_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(found_dialect, "BEGINNING_CHARACTERS", 40)
    rows = "".join(f"a {row}\tb\n" for row in range(20))
    content = f'text\tlabel\n{rows}"open\tb\nanother\tb\nclosed"\tb\n'
    with pytest.raises(DataError, match=r"^a:22: .* closes on line 24; .* data\.quoting=none"):
        read(content)
    assert len(read(content, Dialect(quoting="none"))) == 23
    assert len(read(content, Dialect(quoting="double"))) == 21


def test_one_broken_row_of_a_quoted_file_is_named() -> None:
    content = 'text,label\n"one",a\n"two "and" three",b\n"four",a\n'
    with pytest.raises(DataError, match=r"^a:3: text after a closing quote; .*quoting=none"):
        read(content)


def test_single_quotes_that_give_rows_of_another_width_are_refused_where_no_header_tells() -> None:
    content = "".join(f"{'ab'[row % 2]};'a text; number {row}'\n" for row in range(6))
    columns = ["label", "text"]
    with pytest.raises(DataError, match=r"data\.quoting=single, else data\.quoting=double"):
        list(read_delimited(io.BytesIO(content.encode()), "a", AS_WRITTEN, None))
    stated = Dialect(quoting="single", columns=tuple(columns))
    rows = list(read_delimited(io.BytesIO(content.encode()), "a", stated, columns))
    assert [row.cells["text"] for row in rows][:2] == ["a text; number 0", "a text; number 1"]
