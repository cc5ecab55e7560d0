"""What a run was made with, so that a reader can judge and repeat it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ranklet.encoder.precision import dtype_name

PACKAGES = ("ranklet", "torch", "tokenizers", "safetensors", "numpy", "scikit-learn")


def environment(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """Describe versions, machine, device and precision, each as text."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        **versions,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
        "device": _device_name(device),
        "precision": dtype_name(dtype),
    }


def peak_memory_bytes() -> int | None:
    """Return the largest resident set of this process so far, in bytes; None where none is told."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {os.cpu_count()} cores" if names else platform.processor()
