"""Raw results: one JSON line for each benchmark that ends, with what is needed to run it again."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from library.measure import machine

ROOT = Path(__file__).resolve().parents[2]


def record(benchmark: str, figures: Mapping[str, Any]) -> None:
    """Print figures as a JSON line, and add one to `benchmarks/results/BENCHMARK.jsonl`.

    The line in the file also holds date, commit, machine and command. The environment variable
    `BENCHMARK_RESULTS` names another folder for it, as for a trial.

    Args:
        benchmark: Name of the script.
        figures: JSON values.
    """
    print(json.dumps({"benchmark": benchmark, **figures}), flush=True)
    line = {
        "benchmark": benchmark,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": commit(),
        "command": command(),
        "machine": machine(),
        "figures": figures,
    }
    folder = Path(os.environ.get("BENCHMARK_RESULTS", ROOT / "benchmarks" / "results"))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{benchmark}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def command() -> str:
    """Return what was typed, with the script's path from the root of the repository."""
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(ROOT) if script.is_relative_to(ROOT) else script.name
    return shlex.join(["python", str(name), *sys.argv[1:]])


def commit() -> str | None:
    """Return the commit of the sources, `+` behind it if tracked files differ; None outside git."""
    try:
        short = _git("rev-parse", "--short", "HEAD")
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results"
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return short + "+" * bool(changed)


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()
