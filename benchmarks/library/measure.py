"""What the speed benchmarks measure with: workers, clocks, memory, the GEMM rate and tables.

Every measurement is taken in a process of its own, so that its peak memory is its own and no
contender inherits another one's warm caches. This process stays small: PyTorch is imported by
workers only.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Result = dict[str, Any]
Work = Callable[[Job], Result]

PACKAGES = ("ranklet", "torch", "transformers", "peft", "onnxruntime", "onnx", "tokenizers")

# Rows x inner x columns of the product that stands for what the machine can do.
GEMM_SHAPE = {"cpu": (4096, 1024, 4096), "cuda": (8192, 8192, 8192)}
GEMM_RUNS = 5


class WorkerError(Exception):
    """A measurement that did not come about; the message is its last words."""


def run_worker(script: Path, job: Job, timeout_s: float | None = None) -> Result:
    """Do a job in a process of its own and return what it measured.

    Args:
        script: The benchmark; it hands `--worker` to `serve`.
        job: JSON types; `kind` names the work.
        timeout_s: Seconds after which it is ended.

    Raises:
        WorkerError: It failed, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        command = [sys.executable, str(script), "--worker", json.dumps(job), str(answer)]
        # A cache folder of its own: nothing is found there that an earlier worker has computed.
        environment = {**os.environ, "RANKLET_CACHE": str(Path(folder) / "cache")}
        with log.open("w") as stream:
            try:
                ended = subprocess.run(
                    command, stdout=stream, stderr=stream, env=environment, timeout=timeout_s
                )
            except subprocess.TimeoutExpired:
                raise WorkerError(f"not done after {timeout_s:.0f} s") from None
        if ended.returncode or not answer.is_file():
            lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            if os.environ.get("BENCHMARK_DEBUG"):
                print("\n".join(lines), file=sys.stderr)
            raise WorkerError(f"exit {ended.returncode}: {lines[-1]}")
        result: Result = json.loads(answer.read_text(encoding="utf-8"))
        return result


def serve(arguments: Sequence[str], works: Mapping[str, Work]) -> None:
    """Do the job that `run_worker` has written into the arguments, then leave the process."""
    job: Job = json.loads(arguments[0])
    result = works[job["kind"]](job)
    Path(arguments[1]).write_text(json.dumps(result), encoding="utf-8")


def peak_rss_mib() -> int:
    """Return the largest resident set of this process so far.

    Not `getrusage`: on Linux its figure survives exec, so a child begins with its parent's.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def peak_device_mib(device: str) -> int | None:
    """Return the most GPU memory that this process's tensors have taken; None on a CPU."""
    import torch

    return torch.cuda.max_memory_allocated() // 2**20 if device == "cuda" else None


def now(device: str) -> float:
    """Return the time in seconds, when everything asked of the device is done."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def gemm_rates(job: Job) -> Result:
    """Measure the rate of one large matrix product by dtype, best of a few runs, in FLOP/s."""
    device = job["device"]
    names = ("float32", "bfloat16", "float16") if device == "cuda" else ("float32", "bfloat16")
    return {name: gemm_rate(name, device) for name in names}


def gemm_rate(dtype: str, device: str) -> float:
    """Return the best rate of a large matrix product with frozen weights, in FLOP/s."""
    import torch

    rows, inner, columns = GEMM_SHAPE[device]
    states = torch.randn(rows, inner, device=device).to(getattr(torch, dtype))
    weight = torch.randn(columns, inner, device=device).to(getattr(torch, dtype))
    seconds = []
    with torch.inference_mode():
        for _ in range(1 + GEMM_RUNS):
            started = now(device)
            torch.nn.functional.linear(states, weight)
            seconds.append(now(device) - started)
    return 2.0 * rows * inner * columns / min(seconds[1:])


def machine() -> dict[str, Any]:
    """Describe processor, threads and versions."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": int(threads) if threads else os.cpu_count(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def medians(results: Sequence[Result]) -> Result:
    """Return the median of every number over repeats; other values are the last repeat's."""
    last = results[-1]
    return {
        key: statistics.median(result[key] for result in results)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else value
        for key, value in last.items()
    }


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows under columns for a person; None is shown as a dash."""
    cells = [[_cell(value) for value in row] for row in (columns, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
