"""Compiled layers: what is asked of PyTorch, and what is said where it could not do it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ranklet.encoder import compilers
from ranklet.encoder.compiled_layers import compile_layers
from ranklet.errors import RunError

CPU = torch.device("cpu")


class Layer:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def compile(self, **options: Any) -> None:
        self.asked.append(options)


def encoder() -> Any:
    return SimpleNamespace(fused=True, layers=[Layer(), Layer()])


@pytest.mark.parametrize(
    ("installed", "named", "device"),
    [
        ("g++", None, CPU),
        ("clang++", None, CPU),
        ("icpx", "icpx", CPU),
        ("nothing", None, torch.device("cuda")),
    ],
)
def test_every_layer_is_compiled_for_any_length_and_none_is_fused(
    installed: str, named: str | None, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "which", lambda name: name if name == installed else None)
    monkeypatch.setenv("CXX", named or "")
    compiled = encoder()
    compile_layers(compiled, device)
    assert not compiled.fused
    assert [layer.asked for layer in compiled.layers] == [[{"dynamic": True}]] * 2


@pytest.mark.parametrize("named", [None, "icpx"])
def test_without_a_compiler_nothing_is_touched(
    named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        compilers, "which", lambda name: "/usr/bin/g++" if named and name == "g++" else None
    )
    monkeypatch.setenv("CXX", named or "")
    untouched = encoder()
    with pytest.raises(RunError, match=r"^--compile: PyTorch found no C\+\+ compiler; install g"):
        compile_layers(untouched, CPU)
    assert untouched.fused
    assert [layer.asked for layer in untouched.layers] == [[], []]
