"""Device and dtype by what the machine can do; machines are stand-ins."""

from __future__ import annotations

import ctypes
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ranklet.encoder.precision import choose_device, choose_dtype, prepare_memory
from ranklet.errors import RecipeError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(name) for name in ("auto", "cuda", "cpu")] == [CUDA, CUDA, CPU]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [choose_device(name) for name in ("auto", "cpu")] == [CPU, CPU]
    with pytest.raises(RecipeError, match=r"engine\.device: cuda is not available .* auto, cpu"):
        choose_device("cuda")


def test_a_named_precision_is_taken_as_it_is() -> None:
    names = ("float32", "bfloat16", "float16")
    assert [choose_dtype(name, CPU) for name in names] == [
        *(torch.float32, torch.bfloat16, torch.float16)
    ]


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_auto_is_bfloat16_on_gpus_that_multiply_it(
    capability: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_dtype("auto", CUDA) == dtype


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("avx512", [True, False])
def test_auto_is_bfloat16_on_processors_that_multiply_it(
    amx: bool, avx512: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    expected = torch.bfloat16 if amx or avx512 else torch.float32
    assert choose_dtype("auto", CPU) == expected


def missing(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file")


def test_freed_memory_is_kept_where_glibc_can(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[int, int]] = []

    def library(name: str) -> Any:
        assert name == "libc.so.6"
        return SimpleNamespace(mallopt=lambda option, value: options.append((option, value)))

    variable = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", library)
    monkeypatch.setenv(variable, "1")  # is put back as it was, also where it was not set
    monkeypatch.delenv(variable)
    prepare_memory()
    assert options == [(-1, 2**31 - 1), (-4, 0)]  # M_TRIM_THRESHOLD, M_MMAP_MAX
    assert os.environ[variable] == "64"
    monkeypatch.setenv(variable, "7")
    monkeypatch.setattr(ctypes, "CDLL", missing)
    prepare_memory()  # another C library
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", library)
    prepare_memory()
    assert len(options) == 2
    assert os.environ[variable] == "7"
