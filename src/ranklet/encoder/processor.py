"""What a processor is and can do, as text."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def processor_and_flags() -> str:
    """Describe all of this processor that a kernel's speed or existence depends on."""
    described = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        described += "".join(
            sorted({line for line in lines if line.startswith(("flags", "model"))})
        )
    return described
