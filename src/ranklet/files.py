"""Files that appear whole or not at all.

Everything is written to a temporary file beside its destination and renamed over it at the end,
so that a full disk, a crash or Ctrl-C leaves the earlier file as it was. Only regular files are
replaced; a symbolic link is followed, not replaced.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from ranklet.errors import RankletError, RunError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LARGEST_JSON = 1 << 26  # bytes; what a run holds has some thousands

_FIXES = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "free some of the quota or write to another disk",
    errno.EROFS: "write to another folder",
    errno.EACCES: "get permission for it or choose another path",
    errno.EPERM: "get permission for it or choose another path",
    errno.ENOENT: "create the folder first or mend the path",
    errno.ENOTDIR: "a part of the path is a file; mend the path",
    errno.ENAMETOOLONG: "choose a shorter name",
}

_ENDLESS: Mapping[str, Callable[[int], bool]] = {
    "pipe": stat.S_ISFIFO,
    "socket": stat.S_ISSOCK,
    "device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file so that it appears whole or not at all.

    Args:
        path: Destination, replaced if it exists; its folder must exist.
        data: Content; text is written as UTF-8 without newline translation.

    Raises:
        RunError: The file cannot be written; an earlier one is untouched.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    with _replacement(path) as stream:
        stream.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file that appears when the block ends without an error.

    Newlines are written as given, as the csv module wants them. An error of the block itself
    passes through unchanged, and nothing is left behind.

    Args:
        path: Destination, replaced if it exists; its folder must exist.

    Raises:
        RunError: The file cannot be written; an earlier one is untouched.
    """
    with _replacement(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        yield text
        text.flush()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        RunError: It cannot be made.
    """
    with _reported("write", folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_regular_file(path: Path, error: Callable[[str], RankletError]) -> None:
    """Refuse to read what may never end: a pipe, a socket or a device.

    Raises:
        RankletError: As `error` makes it of what is wrong; the path is not in it.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # whoever opens it says why
    kind = next((kind for kind, is_kind in _ENDLESS.items() if is_kind(mode)), None)
    if kind is not None:
        raise error(f"is a {kind}, not a file; write what it gives to a file first and name that")


def read_json_object(path: Path, error: Callable[[str], RankletError]) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        RankletError: As `error` makes it: the file is missing or broken, or holds something else.
    """
    check_regular_file(path, lambda problem: error(f"{path}: {problem}"))
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise error(f"{path}: has more than {LARGEST_JSON:,} bytes")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except RankletError:
        raise
    except (OSError, ValueError, RecursionError) as cause:
        raise error(f"{path}: not readable as JSON ({type(cause).__name__})") from cause
    if not isinstance(fields, dict):
        raise error(f"{path}: must hold a JSON object, found {type(fields).__name__}")
    return fields


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises:
        RunError: The file cannot be read.
    """
    check_regular_file(path, lambda problem: RunError(f"{path}: {problem}"))
    with _reported("read", path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(content: Any) -> str:
    """Return the SHA-256 of JSON values as 64 hexadecimal digits, equal for equal values.

    It is taken over JSON with sorted keys and no blanks, so the order of keys does not count.
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def is_temporary(name: str) -> bool:
    """Tell whether a file name is one that an interrupted write of ours may leave behind."""
    return name.startswith(".ranklet-") and name.endswith(".tmp")


def _temporary_name() -> str:
    return f".ranklet-{secrets.token_hex(8)}.tmp"


class _Output(io.FileIO):
    """A temporary file whose failed writes name the file it will become."""

    def __init__(self, temporary: Path, path: Path) -> None:
        self._path = path
        super().__init__(temporary, "xb")

    def write(self, data: ReadableBuffer, /) -> int:
        with _reported("write", self._path):
            return super().write(data)


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    with _reported("write", path):
        target = _regular_target(path)
        temporary = target.with_name(_temporary_name())
    try:
        with _reported("write", path):
            stream: BinaryIO = io.BufferedWriter(_Output(temporary, path))
        with stream:
            yield stream
            with _reported("write", path):
                stream.flush()
                os.fsync(stream.fileno())
        if target.exists():
            # Some file systems know no permissions; that must not cost the content.
            with suppress(OSError):
                shutil.copymode(target, temporary)
        with _reported("write", path):
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    flush_folder(target.parent)


def _regular_target(path: Path) -> Path:
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        # Renaming over a device such as /dev/stdout would remove it from the system.
        raise RunError(f"cannot write {path}: it is not a regular file; name a file")
    return target


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk: only then does a rename survive a power cut."""
    # Not every system can do it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _reported(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except RunError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        fix = _FIXES.get(getattr(error, "errno", None) or 0, "choose another path")
        raise RunError(f"cannot {verb} {path}: {reason}; {fix}") from error


@contextmanager
def folder_appearing_whole(folder: Path) -> Iterator[Path]:
    """Fill a new folder that appears under its name when the block ends without an error.

    What is in it survives a power cut if each file was written by `write_atomically`.

    Args:
        folder: Destination; must not exist yet, its parent must.

    Yields:
        The folder to fill meanwhile, beside the destination.

    Raises:
        RunError: The folder cannot be created or renamed.
    """
    unfinished = folder.with_name(_temporary_name())
    with _reported("write", folder):
        unfinished.mkdir()
    try:
        yield unfinished
        with _reported("write", folder):
            os.rename(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    flush_folder(folder.parent)


def differing_names(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """List the names, sorted, under which two mappings hold different values, or one holds none."""
    names = {*expected, *actual}
    return sorted(name for name in names if expected.get(name) != actual.get(name))
