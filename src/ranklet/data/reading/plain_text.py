"""Plain text files: one text a line, fastText's lines, or a text that is a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ranklet.data.reading.lines import read_lines, without_last_blanks
from ranklet.data.reading.memory import LABEL, TEXT
from ranklet.data.reading.row import MAX_CELL_CHARACTERS, Row
from ranklet.errors import DataError

FASTTEXT_MARK = "__label__"


def read_text_lines(file: BinaryIO, source: str, encoding: str | None) -> Iterator[Row]:
    """Yield one row per line, in the column `text`; blank lines at the end are left out.

    Raises:
        DataError: A line that cannot be decoded, is too long, or holds a carriage return.
    """
    blanks: list[int] = []
    for line, raw in read_lines(file, source, encoding):
        text = raw.removesuffix("\n").removesuffix("\r")
        if not text:
            blanks.append(line)
            continue
        _check_line(text, source, line)
        yield from (Row(blank, {TEXT: ""}) for blank in blanks)
        blanks.clear()
        yield Row(line, {TEXT: text})


def read_fasttext(file: BinaryIO, source: str, encoding: str | None) -> Iterator[Row]:
    """Yield one row per line of labels (`__label__x`) and a text, in `label` and `text`.

    Several labels are a list. Underscores in them stay as they are.

    Raises:
        DataError: A line without a label, or one that cannot be decoded.
    """
    lines = read_lines(file, source, encoding)
    for line, raw in without_last_blanks(lines, lambda text: not text.strip(), source):
        words = raw.rstrip("\r\n")
        labels: list[str] = []
        while words.startswith(FASTTEXT_MARK):
            label, _, words = words.partition(" ")
            labels.append(label.removeprefix(FASTTEXT_MARK).rstrip(","))
            words = words.lstrip(" ,\t")
        if not labels:
            message = (
                f"no {FASTTEXT_MARK} at the beginning of the line, where the first line has it"
            )
            raise DataError(message, source, line)
        _check_line(words, source, line)
        if len(labels) == 1:
            yield Row(line, {LABEL: labels[0], TEXT: words})
        else:
            yield Row(line, {TEXT: words}, {LABEL: "a list"}, {LABEL: labels})


def read_whole_text(file: BinaryIO, source: str, encoding: str | None) -> Row:
    """Return a file as one row of the column `text`, white space around it left out.

    Raises:
        DataError: It cannot be decoded, or is too long.
    """
    text = "".join(line for _, line in read_lines(file, source, encoding)).strip()
    if len(text) > MAX_CELL_CHARACTERS:
        raise DataError(_too_long(text), source, 1)
    return Row(1, {TEXT: text})


def _check_line(text: str, source: str, line: int) -> None:
    if "\r" in text:
        message = "carriage return (CR) that ends no line; save the file with LF or CRLF line ends"
        raise DataError(message, source, line)
    if len(text) > MAX_CELL_CHARACTERS:
        raise DataError(_too_long(text), source, line)


def _too_long(text: str) -> str:
    return f"text of {len(text):,} characters; at most {MAX_CELL_CHARACTERS:,} are allowed"
