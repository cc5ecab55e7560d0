"""Caches: what is cut, empty or damaged is thrown away and said; nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ranklet import cache
from ranklet.cache import (
    default_cache_folder,
    is_whole,
    read_cached,
    seal,
    sealed_bytes,
    write_cached,
)

BLOCK = 64


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "BLOCK_BYTES", BLOCK)


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 5 * BLOCK + 3])
def test_what_was_written_is_read(size: int, tmp_path: Path) -> None:
    path, content, lines = tmp_path / "new" / "file", os.urandom(size), []
    assert read_cached(path, lines.append) is None
    write_cached(path, content, 10**6)
    assert read_cached(path, lines.append) == content
    assert path.stat().st_size == sealed_bytes(size)
    sealed = tmp_path / "sealed"
    sealed.write_bytes(content)
    seal(sealed)
    assert sealed.read_bytes() == path.read_bytes()
    assert lines == []


DAMAGE = {
    "empty": lambda held: b"",
    "cut": lambda held: held[:-1],
    "cut by a block": lambda held: held[:-BLOCK],
    "longer": lambda held: held + b"x",
    "zeros": lambda held: bytes(len(held)),
    "70 % zeros": lambda held: bytes(len(held) * 7 // 10) + held[len(held) * 7 // 10 :],
    "blocks exchanged": lambda held: held[BLOCK : 2 * BLOCK] + held[:BLOCK] + held[2 * BLOCK :],
    "three bytes": lambda held: b"abc",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_thrown_away_and_said(name: str, tmp_path: Path) -> None:
    path, lines = tmp_path / "file", []
    write_cached(path, os.urandom(5 * BLOCK + 3), 10**6)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    assert not is_whole(path, lines.append)
    assert lines == [f"cache: {path} is damaged, thrown away and made again"]
    assert not path.exists()


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_cached(path, os.urandom(BLOCK + 3), 10**6)
    held = path.read_bytes()
    for bit in range(8 * len(held)):
        flipped = bytearray(held)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert read_cached(path, lambda line: None) is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RANKLET_CACHE": "/r", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/r"),
        ({"RANKLET_CACHE": "~/r", "HOME": "/h"}, "/h/r"),
        ({"RANKLET_CACHE": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/ranklet"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/ranklet"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/ranklet"),
    ],
)
def test_default_cache_folder(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("RANKLET_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_cache_folder() == Path(expected)


def test_default_cache_folder_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("RANKLET_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert default_cache_folder().name == f"ranklet-{os.getuid()}"
