"""A cache that was damaged on disk costs time, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (
    "adapter.layers=[1]", "training.epochs=3", "head=linear", "distillation.teacher=run",
    "data.test=",
)  # fmt: skip


@pytest.fixture
def trained(
    workplace: Path, ranklet: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[bytes, list[str]]]:
    """Train with a cache; the adapter, and what was said of damage, come back."""

    def train(cache: str) -> tuple[bytes, list[str]]:
        monkeypatch.setenv("RANKLET_CACHE", str(workplace / cache))
        options = [word for option in OPTIONS for word in ("--set", option)]
        answer = ranklet("train", "recipe.yaml", "--out", "mine", *options)
        assert answer.returncode == 0, answer.stderr
        adapter = Path("mine/adapter/adapter_model.safetensors").read_bytes()
        shutil.rmtree("mine")
        said = [line for line in answer.stderr.splitlines() if "cache: " in line]
        return adapter, said

    return train


def zeroed(content: bytes) -> bytes:
    kept = len(content) // 10
    return content[:kept] + bytes(len(content) * 7 // 10) + content[len(content) * 8 // 10 :]


DAMAGE = {"70 % zeros": zeroed, "cut": lambda held: held[:-9], "empty": lambda held: b""}


def test_training_goes_on_without_what_was_damaged(trained: Any, workplace: Path) -> None:
    expected, nothing = trained("fresh")
    assert nothing == []
    assert trained("fresh") == (expected, [])
    kinds = ("frozen_layers", "teachers", "tokens")
    for spoil in DAMAGE.values():
        files = [path for kind in kinds for path in (workplace / "fresh" / kind).iterdir()]
        assert len(files) == 2 + 1 + 2
        for path in files:
            path.write_bytes(spoil(path.read_bytes()))
        adapter, said = trained("fresh")
        assert adapter == expected
        assert len(said) == len(files)
        assert all(line.endswith("is damaged, thrown away and made again") for line in said)
