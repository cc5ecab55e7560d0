"""Device and compute dtype, chosen by what the machine can do."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

import torch

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.vocabulary import Device, Precision


def choose_device(device: Device) -> torch.device:
    """Return the device to compute on; `auto` is CUDA where there is one.

    Raises:
        RecipeError: CUDA is asked for and not there.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        message = "cuda is not available on this machine; allowed here: auto, cpu"
        raise RecipeError([RecipeIssue("", "engine.device", message)])
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the compute dtype; `auto` is bfloat16 where the processor multiplies it natively."""
    if precision == "auto":
        return torch.bfloat16 if _has_fast_bfloat16(device) else torch.float32
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    return dtypes[precision]


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a dtype, such as bfloat16."""
    return str(dtype).removeprefix("torch.")


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def prepare_memory() -> None:
    """Make memory of this process cheap to reuse; call before the first computation.

    glibc is asked to keep freed memory: activations are freed and asked for again at every step,
    and page faults then cost more than some matrix products. oneDNN is asked to remember few
    kernels: it keeps one, with its buffers, for every batch shape it ever saw, which added 20 MB a
    step (measured 2026-11-21, MiniLM, float32). A value the user has set stays.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, mmap_max = -1, -4  # numbers from glibc's malloc.h
    with suppress(OSError, AttributeError):  # another C library has no mallopt
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_max, 0)
