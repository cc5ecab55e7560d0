"""Encodings: by mark or setting, and what to do about bytes that stand for nothing."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ranklet.data.reading.lines import open_lines, read_lines
from ranklet.errors import DataError

TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n\ufeff"), max_size=20), max_size=6
)


def lines_of(content: bytes, encoding: str | None = None) -> list[tuple[int, str]]:
    return list(read_lines(io.BytesIO(content), "a", encoding))


@given(texts=TEXTS, encoding=st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
@example(texts=["\u0a00\u0a0a", "\u0a0d"], encoding="utf-16")
def test_a_mark_says_how_lines_are_written(texts: list[str], encoding: str) -> None:
    content = "".join(f"{text}\n" for text in ["a", *texts]).encode(encoding)
    expected = [(number, f"{text}\n") for number, text in enumerate(["a", *texts], start=1)]
    assert lines_of(content) == lines_of(content, "cp1252") == expected
    settled, _ = open_lines(io.BytesIO(content), "a", None)
    assert settled == encoding.removesuffix("-sig")


@given(texts=TEXTS, encoding=st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "gb18030"]))
def test_a_setting_says_it_where_no_mark_does(texts: list[str], encoding: str) -> None:
    content = "".join(f"{text}\n" for text in ["a", *texts]).encode(encoding)
    assert [text.removesuffix("\n") for _, text in lines_of(content, encoding)] == ["a", *texts]


@pytest.mark.parametrize(
    ("content", "place", "advice"),
    [
        ("one\ncafé\n".encode("cp1252"), 2, "set data.encoding=cp1252 (Windows)"),
        ("“so”\n".encode("cp1252"), 1, "set data.encoding=cp1252 (Windows)"),
        ("гол\n".encode("cp1251"), 1, "data.encoding=cp1251 (Cyrillic)"),
        ("\u4f53\u80b2\n".encode("gbk"), 1, "data.encoding=gb18030 (Chinese)"),
        ("a\ncafé\n".encode() + b"caf\xe9\n", 3, "lines before it are; mend this line"),
        ("a,b\n".encode("utf-16-le"), 1, "set data.encoding=utf-16-le"),
        ("a,b\n".encode("utf-16-be"), 1, "set data.encoding=utf-16-be"),
        (b"a text with \0 in it\n", 1, "save it as plain UTF-8"),
    ],
)
def test_bytes_that_stand_for_nothing_are_refused_with_what_helps(
    content: bytes, place: int, advice: str
) -> None:
    with pytest.raises(DataError) as caught:
        lines_of(content)
    assert str(caught.value).startswith(f"a:{place}: ")
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"a\n\x81\n", "cp1252"), (b"a\0\n\0\0\xd8", "utf-16-le")]
)
def test_a_setting_that_is_wrong_is_named(content: bytes, encoding: str) -> None:
    with pytest.raises(DataError, match=rf"^a:2: .*not {encoding.upper()}.*set data\.encoding to"):
        lines_of(content, encoding)
