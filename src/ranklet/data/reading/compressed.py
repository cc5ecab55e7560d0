"""Compressed files, told by their first bytes and unpacked as they are read, in bounded memory.

A stream that grows out of all proportion is refused: texts shrink to a third or a tenth, a bomb to
a thousandth.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePath
from typing import Any, BinaryIO

from ranklet.data.hints import first_line, listed
from ranklet.errors import DataError, MissingExtraError

MAX_RATIO = 200
FREE_BYTES = 64_000_000
"""Below this many bytes no ratio is suspicious: a small file of one repeated line shrinks so."""

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
BUFFER_BYTES = 1 << 16
TAR_MARK = (257, b"ustar")


def unpacked(file: io.BufferedReader, name: str, source: str, part: str) -> tuple[Any, str, str]:
    """Return a file as it is, or what is compressed in it.

    Args:
        file: At its beginning.
        name: Name of the file, whose suffix but for that of the compression is the format.
        source: What messages call it.
        part: File wanted out of several in an archive; empty: it holds one.

    Returns:
        The stream, the name of what is in it, and the part that is still to be looked for.

    Raises:
        DataError: A damaged or encrypted file, an archive with several files, a tar archive.
        MissingExtraError: A .zst file without the extra for it.
    """
    start = file.peek(BUFFER_BYTES)
    opener = _opener_of(start)
    if opener is not None:
        unpack, damage = opener
        stream = _bounded(unpack(file), damage, source, _size(file))
        name = _without_packed_suffix(name)
    elif start.startswith(b"PK\x03\x04"):
        archive = _archive(file, source)
        if "xl/workbook.xml" in archive.namelist():
            return file, f"{name}.xlsx", part
        member = _member(archive, source, part)
        stream = _bounded(*_opened_member(archive, member, source), source, _size(file))
        name, part = member.filename, ""
    else:
        return file, name, part
    offset, mark = TAR_MARK
    if stream.peek(BUFFER_BYTES)[offset:].startswith(mark):
        raise DataError("is a tar archive; unpack it and name the file or the folder", source)
    return stream, name, part


def _without_packed_suffix(name: str) -> str:
    path = PurePath(name)
    return path.stem if path.suffix.lower() in PACKED_SUFFIXES else name


def _size(file: BinaryIO) -> int:
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size


def _opener_of(start: bytes) -> tuple[Callable[[BinaryIO], Any], type[Exception]] | None:
    """Return what opens a compressed file, and what that raises besides OSError and EOFError."""
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstandard()
    return next((opener for mark, opener in OPENERS.items() if start.startswith(mark)), None)


OPENERS: dict[bytes, tuple[Callable[[BinaryIO], Any], type[Exception]]] = {
    b"\x1f\x8b": (gzip.open, zlib.error),
    b"BZh": (bz2.open, ValueError),
    b"\xfd7zXZ\x00": (lzma.open, lzma.LZMAError),
}


def _zstandard() -> tuple[Callable[[BinaryIO], Any], type[Exception]]:
    # In the standard library from Python 3.14 on.
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        zstd = import_module(name)
    except ImportError as error:
        raise MissingExtraError("reading .zst files", "formats") from error
    return zstd.open, zstd.ZstdError


def _bounded(
    stream: Any, damage: type[Exception], source: str, packed_bytes: int
) -> io.BufferedReader:
    return io.BufferedReader(_BoundedStream(stream, damage, source, packed_bytes), BUFFER_BYTES)


def _archive(file: BinaryIO, source: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"not a sound zip file: {first_line(error)}", source) from error


def _member(archive: zipfile.ZipFile, source: str, part: str) -> zipfile.ZipInfo:
    members = {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not PurePath(info.filename).name.startswith(".")
    }
    if not members:
        raise DataError("the zip file is empty", source)
    if not part and len(members) == 1:
        return next(iter(members.values()))
    if part not in members:
        names = sorted(members)
        problem = f"holds no {part!r}" if part else "holds several files"
        message = f"{problem}: {listed(names)}; name one as {source}#{names[0]}, or unpack it"
        raise DataError(message, source)
    return members[part]


def _opened_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: str
) -> tuple[Any, type[Exception]]:
    try:
        return archive.open(member), zlib.error
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        message = f"{member.filename!r} in it cannot be read: {first_line(error)}; unpack it first"
        raise DataError(message, source) from error


class _BoundedStream(io.RawIOBase):
    """What a decompressor gives, counted; its errors in one line."""

    def __init__(
        self, stream: Any, damage: type[Exception], source: str, packed_bytes: int
    ) -> None:
        self.stream, self.damage, self.source = stream, damage, source
        self.read_bytes, self.most_bytes = 0, max(FREE_BYTES, MAX_RATIO * packed_bytes)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(len(buffer))
        except (OSError, EOFError, zipfile.BadZipFile, self.damage) as error:
            message = f"cannot be unpacked ({first_line(error)}); fetch or write the file again"
            raise DataError(message, self.source) from error
        self.read_bytes += len(data)
        if self.read_bytes > self.most_bytes:
            message = (
                f"unpacks to more than {MAX_RATIO} times its size, which no texts do; unpack it "
                "yourself if that is right"
            )
            raise DataError(message, self.source)
        buffer[: len(data)] = data
        return len(data)
