"""Caches on disk: files that may be deleted at any time, and are checked whenever they are read.

A cached file is its content and, behind it, a checksum of every block. What is cut, empty or
damaged is thrown away, said, and made again by whoever asked for it.
"""

from __future__ import annotations

import os
import re
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ranklet.files import is_temporary, write_atomically

BLOCK_BYTES = 2**20
SUM_BYTES = 4
OWN_NAME = re.compile(r"[0-9a-f]{64}\b")


def default_cache_folder() -> Path:
    """Return `$RANKLET_CACHE`, else `$XDG_CACHE_HOME/ranklet`, else `~/.cache/ranklet`.

    An account without a home folder gets one of its own among the temporary files.
    """
    own = os.environ.get("RANKLET_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared and os.path.isabs(shared):  # its specification: a relative one is to be ignored
        return Path(shared) / "ranklet"
    try:
        return Path.home() / ".cache" / "ranklet"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"ranklet-{os.getuid()}"


def read_cached(path: Path, report: Callable[[str], None]) -> bytes | None:
    """Read what `write_cached` wrote; None where there is nothing, or nothing whole.

    Args:
        path: A file of a cache.
        report: Receives a line where a file is not whole.
    """
    if not is_whole(path, report):
        return None
    try:
        sealed = path.read_bytes()
    except OSError:
        return None
    return sealed[: _content_bytes(len(sealed))]


def write_cached(path: Path, content: bytes, max_bytes: int) -> None:
    """Keep something; a disk that refuses it costs time later, and nothing else.

    Args:
        path: A file of a cache; its folder is made where it is missing.
        content: At least one byte.
        max_bytes: What the folder may hold; those used longest ago go first.
    """
    blocks = range(0, len(content), BLOCK_BYTES)
    sums = b"".join(_sum(content[start : start + BLOCK_BYTES]) for start in blocks)
    with suppress(OSError):  # RunError is one
        # Private: token ids and states are the texts themselves in other letters.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, content + sums)
        remove_oldest(path.parent, max_bytes)


def is_whole(path: Path, report: Callable[[str], None]) -> bool:
    """Tell whether a cached file is there as it was written; throw it away where it is not.

    Args:
        path: A file of a cache.
        report: Receives a line where a file is not whole.
    """
    if not path.is_file():
        return False
    try:
        size = path.stat().st_size
        content = _content_bytes(size)
        with path.open("rb") as stream:
            lengths = (min(BLOCK_BYTES, content - at) for at in range(0, content, BLOCK_BYTES))
            sums = b"".join(_sum(stream.read(length)) for length in lengths)
            whole = content > 0 and sums == stream.read()
        if whole:
            with suppress(OSError):
                os.utime(path)  # the entries used longest ago are removed first
            return True
        path.unlink()
    except OSError as error:
        report(f"cache: {path} cannot be read ({error.strerror}) and is not used")
        return False
    report(f"cache: {path} is damaged, thrown away and made again")
    return False


def seal(path: Path) -> None:
    """Put the checksums behind a file that was filled otherwise, and flush it to disk.

    Raises:
        OSError: The disk is full.
    """
    with path.open("r+b") as stream:
        sums = bytearray()
        while block := stream.read(BLOCK_BYTES):
            sums += _sum(block)
        stream.write(sums)
        stream.flush()
        os.fsync(stream.fileno())  # of what was written through a mapping too


def sealed_bytes(content_bytes: int) -> int:
    """Return the size of a cached file with content of some bytes."""
    return content_bytes + SUM_BYTES * -(-content_bytes // BLOCK_BYTES)


def remove_oldest(folder: Path, max_bytes: int) -> None:
    """Delete the files of a cache that were used longest ago until the rest takes `max_bytes`.

    Only what is named after a SHA-256 is ours, and what an interrupted write left.
    """
    files = [
        (entry.stat(), entry)
        for entry in folder.iterdir()
        if entry.is_file() and (OWN_NAME.match(entry.name) or is_temporary(entry.name))
    ]
    total = 0
    for status, entry in sorted(files, key=lambda file: file[0].st_mtime, reverse=True):
        total += status.st_size
        if total > max_bytes:
            entry.unlink(missing_ok=True)


def _content_bytes(sealed: int) -> int:
    return sealed - SUM_BYTES * -(-sealed // (BLOCK_BYTES + SUM_BYTES))


def _sum(block: bytes) -> bytes:
    # No SHA-256, which takes three times as long: nobody forges a file here.
    return zlib.crc32(block).to_bytes(SUM_BYTES, "little")
