"""Physical lines of a text file, decoded strictly and streamed.

Lines end with LF or CRLF. Only LF is counted, so a line number is what an editor shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

from ranklet.data.hints import first_line
from ranklet.data.reading.encoding import (
    advice,
    advice_on_nul,
    decoded_lines,
    has_byte_lines,
    marked_encoding,
    same_encoding,
)
from ranklet.errors import DataError
from ranklet.files import check_regular_file

Content = TypeVar("Content")

MAX_LINE_BYTES = 16_000_000
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
FOREIGN_STARTS = {
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; unpack it or export it as CSV in UTF-8",
    b"PAR1": "is a parquet file; name it .parquet",
}


def read_lines(
    file: BinaryIO, source: str, encoding: str | None = None
) -> Iterator[tuple[int, str]]:
    r"""Yield each line's number, counted from 1, and its text with the line end kept.

    A byte order mark at the start of the file is dropped; what it states goes before `encoding`.

    Raises:
        DataError: A byte that stands for nothing, a NUL, or a line of more than 16 MB.
    """
    return open_lines(file, source, encoding)[1]


def open_lines(
    file: BinaryIO, source: str, encoding: str | None
) -> tuple[str, Iterator[tuple[int, str]]]:
    """Return the encoding of a file and its lines, as `read_lines` gives them.

    Raises:
        DataError: The file is none of text; and as in `read_lines`.
    """
    chunks = _raw_lines(file, source)
    first = next(chunks, b"")
    _check_start(first, source)
    settled = same_encoding(marked_encoding(first) or encoding)
    chunks = chain([first] if first else [], chunks)
    decode = _decode_each if has_byte_lines(settled) else _decode_together
    return settled, _without_mark(decode(chunks, source, settled))


def without_last_blanks(
    lines: Iterable[tuple[int, Content]], is_blank: Callable[[Content], bool], source: str
) -> Iterator[tuple[int, Content]]:
    """Yield numbered lines, or what was made of them, but for blank ones at the end.

    Raises:
        DataError: A blank line between others.
    """
    blank: int | None = None
    for line, content in lines:
        if is_blank(content):
            blank = blank or line
        elif blank is not None:
            raise DataError("blank line between rows; delete it", source, blank)
        else:
            yield line, content


def open_binary(path: Path) -> BinaryIO:
    """Open a data file for reading bytes.

    Raises:
        DataError: The file is missing, a folder, a pipe or a device, or not readable.
    """
    check_regular_file(path, lambda problem: DataError(problem, str(path)))
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise DataError("no such file", str(path)) from error
    except IsADirectoryError as error:
        raise DataError("is a folder; name a file in it", str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {first_line(error)}", str(path)) from error


def _raw_lines(file: BinaryIO, source: str) -> Iterator[bytes]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            cause = "its lines end with CR only; save it with LF" if b"\r" in line else "split it"
            raise DataError(f"line of more than {MAX_LINE_BYTES:,} bytes; {cause}", source, number)
        yield line


def _check_start(start: bytes, source: str) -> None:
    for mark, message in FOREIGN_STARTS.items():
        if start.startswith(mark):
            raise DataError(f"the file {message}", source, 1)


def _without_mark(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, text in lines:
        yield number, text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text


def _decode_each(chunks: Iterable[bytes], source: str, encoding: str) -> Iterator[tuple[int, str]]:
    has_foreign = False
    for number, raw in enumerate(chunks, start=1):
        if b"\0" in raw:
            message = f"NUL byte at byte {raw.index(0) + 1} of the line; {advice_on_nul(raw)}"
            raise DataError(message, source, number)
        try:
            yield number, raw.decode(encoding)
        except UnicodeDecodeError as error:
            place = f"byte 0x{raw[error.start]:02X} at byte {error.start + 1} of the line"
            remedy, settings = advice(raw, encoding, has_foreign)
            message = f"{place} is not {encoding.upper()}; {remedy}"
            raise DataError(message, source, number, settings=settings) from error
        # The mark alone says nothing of the rest.
        has_foreign = has_foreign or not (raw.isascii() or number == 1)


def _decode_together(
    chunks: Iterable[bytes], source: str, encoding: str
) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, text in enumerate(decoded_lines(chunks, encoding), start=1):
            if len(text) > MAX_LINE_BYTES:
                message = f"line of more than {MAX_LINE_BYTES:,} characters; split it"
                raise DataError(message, source, number)
            if "\0" in text:
                raise DataError("NUL character; a text file holds none", source, number)
            yield number, text
    except UnicodeError as error:
        remedy, _ = advice(b"", encoding, False)
        message = f"is not {encoding.upper()}: {first_line(error)}; {remedy}"
        raise DataError(message, source, number + 1) from error
