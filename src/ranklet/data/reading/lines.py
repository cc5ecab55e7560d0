"""Physical lines of a UTF-8 file, decoded strictly and streamed.

Lines end with LF or CRLF. Only LF is counted, so a line number is what an editor shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from ranklet.data.hints import first_line
from ranklet.errors import DataError
from ranklet.files import check_regular_file

Content = TypeVar("Content")

MAX_LINE_BYTES = 16_000_000
UTF8_BOM = b"\xef\xbb\xbf"
# Longest first: the UTF-32 mark begins with the UTF-16 one.
FOREIGN_STARTS = {
    b"\xff\xfe\x00\x00": "is encoded in UTF-32 (little endian); save it as UTF-8",
    b"\x00\x00\xfe\xff": "is encoded in UTF-32 (big endian); save it as UTF-8",
    b"\xff\xfe": "is encoded in UTF-16 (little endian); save it as UTF-8",
    b"\xfe\xff": "is encoded in UTF-16 (big endian); save it as UTF-8",
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; unpack it or export it as CSV in UTF-8",
    b"PAR1": "is a parquet file; name it .parquet",
}


def read_lines(file: BinaryIO, source: str) -> Iterator[tuple[int, str]]:
    r"""Yield each line's number, counted from 1, and its text with the line end kept.

    A UTF-8 byte order mark at the start of the file is dropped.

    Raises:
        DataError: Another encoding, an undecodable or NUL byte, or
            a line of more than 16 MB.
    """
    for number, raw in enumerate(_raw_lines(file, source), start=1):
        data = _without_mark(raw, source) if number == 1 else raw
        yield number, _decode(data, source, number)


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


def _without_mark(raw: bytes, source: str) -> bytes:
    for start, message in FOREIGN_STARTS.items():
        if raw.startswith(start):
            raise DataError(f"the file {message}", source, 1)
    return raw.removeprefix(UTF8_BOM)


def _decode(raw: bytes, source: str, number: int) -> str:
    if b"\0" in raw:
        message = (
            f"NUL byte at byte {raw.index(0) + 1} of the line; a text file holds none, "
            "so save it as plain UTF-8"
        )
        raise DataError(message, source, number)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"byte 0x{raw[error.start]:02X} at byte {error.start + 1} of the line is not UTF-8; "
            "convert the file to UTF-8 (for Latin-1: iconv -f latin1 -t utf-8)"
        )
        raise DataError(message, source, number) from error
