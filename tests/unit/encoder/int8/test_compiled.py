"""The compiled functions: kept, compiled anew where damaged, never taken from others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ranklet.encoder.int8 import compiled
from ranklet.encoder.int8.compiled import c_compiler, compiled_rows

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RANKLET_CACHE", str(tmp_path / "cache"))
    compiled_rows.cache_clear()
    yield tmp_path / "cache" / "kernels"
    compiled_rows.cache_clear()


def test_it_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled_rows() is not None
    (library,) = cache.iterdir()
    compiled_rows.cache_clear()
    monkeypatch.setattr(compiled, "_compile", None)
    assert compiled_rows() is not None
    assert list(cache.iterdir()) == [library]


def test_a_damaged_one_is_compiled_anew(cache: Path) -> None:
    assert compiled_rows() is not None
    (library,) = cache.iterdir()
    whole = library.read_bytes()
    library.unlink()  # not cut where it lies: this process has it mapped
    library.write_bytes(whole[:2000])
    compiled_rows.cache_clear()
    assert compiled_rows() is not None
    assert len(library.read_bytes()) == len(whole)


def test_a_folder_of_somebody_else_is_not_loaded_from(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled.os, "getuid", lambda: 12345)
    assert compiled_rows() is None


@pytest.mark.parametrize("name", ["no-such-compiler", "false"])
def test_without_a_compiler_that_works_there_is_none(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", name)
    assert compiled_rows() is None
