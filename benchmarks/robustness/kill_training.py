"""Trainings killed at random moments and started again by the same command, until they finish.

    python benchmarks/robustness/kill_training.py --runs 8 --kills 40

Every start is `ranklet train RECIPE --out RUN`, a process of its own, on a small random encoder. A
share of the SIGKILLs is aimed at the writing of a checkpoint, another falls anywhere from the start
of the process on, the rest into the training. The adapter of every run that was killed is compared
byte for byte with that of a run with the same options that was not. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.results import record
from library.small_training import same, write_workplace

VARIANTS = (
    (),
    ("training.gradient_accumulation_steps=2", "training.token_dropout=0.1"),
    ("adapter.layers=[2, 3]", "adapter.dropout=0", "head_start=probe"),
    ("engine.products=int8",),
    ("training.checkpoint_every=null", "training.evaluate_every=5", "adapter.bias=lora_only"),
)
TEMPORARY = ".ranklet-*.tmp"
CASES = ("save", "start", "training")


@dataclass
class Found:
    """What a benchmark has counted.

    Attributes:
        kills: SIGKILLs by what they were aimed at.
        in_save: Of these, those that left a half-written checkpoint.
        failures: Exit codes and messages of starts that neither finished nor were killed.
        continued: Starts that went on from a checkpoint.
        identical: Runs whose adapter and certificate equal those of the undisturbed one.
        runs: Runs finished.
    """

    kills: Counter[str] = field(default_factory=Counter)
    in_save: int = 0
    failures: list[str] = field(default_factory=list)
    continued: int = 0
    identical: int = 0
    runs: int = 0


def start(folder: Path, out: str, settings: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ranklet", "train", "recipe.yaml", "--out", out]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "RANKLET_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_somewhere(
    process: subprocess.Popen[str], run: Path, case: str, seconds: float, drawn: random.Random
) -> bool:
    """Kill a training as its case says; False if it ended before."""
    checkpoints, metrics = run / "checkpoints", run / "metrics.jsonl"
    if case == "training":
        size = metrics.stat().st_size if metrics.exists() else 0
        wait_until(process, lambda: metrics.exists() and metrics.stat().st_size != size)
    if case == "save":
        for _ in range(drawn.randint(1, 8)):
            wait_until(process, lambda: not any(checkpoints.glob(TEMPORARY)))
            wait_until(process, lambda: any(checkpoints.glob(TEMPORARY)))
        seconds = 0.01
    ends = time.monotonic() + drawn.uniform(0, seconds)
    wait_until(process, lambda: time.monotonic() >= ends)
    alive = process.poll() is None
    process.kill()
    return alive


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    while process.poll() is None and not ready():
        time.sleep(0.0005)


def run_until_finished(
    folder: Path,
    out: str,
    settings: tuple[str, ...],
    kills: int,
    seconds: dict[str, float],
    shares: tuple[float, float, float],
    drawn: random.Random,
    found: Found,
) -> None:
    run, left = folder / out, kills
    while not (run / "certificate.json").exists():
        process = start(folder, out, settings)
        if left:
            case = drawn.choices(CASES, shares)[0]
            if kill_somewhere(process, run, case, seconds.get(case, 0.0), drawn):
                left -= 1
                found.kills[case] += 1
        said = process.communicate()[1]
        found.continued += "continues after step" in said
        found.in_save += process.returncode == -9 and any((run / "checkpoints").glob(TEMPORARY))
        if process.returncode not in (0, -9):
            found.failures.append(f"{process.returncode}: {said.splitlines()[-1:]}")
            return
    found.runs += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8, help="at least, default 8")
    parser.add_argument("--kills", type=int, default=40, help="default 40")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in-save", type=float, default=0.4, metavar="SHARE")
    parser.add_argument("--from-start", type=float, default=0.15, metavar="SHARE")
    options = parser.parse_args()
    shares = (options.in_save, options.from_start, 1 - options.in_save - options.from_start)
    drawn, found, started = random.Random(options.seed), Found(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_workplace(folder)
        seconds: dict[int, dict[str, float]] = {}
        while found.runs < options.runs or found.kills.total() < options.kills:
            number = found.runs
            variant = number % len(VARIANTS)
            if variant not in seconds:
                seconds[variant] = undisturbed(folder, variant)
            runs_left = max(options.runs - number, 1)
            kills = -(-(options.kills - found.kills.total()) // runs_left)
            settings, out = VARIANTS[variant], f"run-{number}"
            run_until_finished(folder, out, settings, kills, seconds[variant], shares, drawn, found)
            if found.failures:
                break
            identical = same(folder / out, folder / f"undisturbed-{variant}")
            found.identical += identical
            print(out, dict(found.kills), f"identical={identical}", flush=True)
            shutil.rmtree(folder / out)
    figures = {
        "runs": found.runs,
        "identical": found.identical,
        "kills": found.kills.total(),
        "aimed_at": dict(found.kills),
        "left_a_half_written_checkpoint": found.in_save,
        "starts_that_continued": found.continued,
        "failures": found.failures,
        "seed": options.seed,
        "seconds": round(time.monotonic() - started),
    }
    record("kill_training", figures)
    sys.exit(0 if found.identical == found.runs and not found.failures else 1)


def undisturbed(folder: Path, variant: int) -> dict[str, float]:
    """Train without a kill; return the seconds in which those of each case are to fall."""
    began = time.monotonic()
    process = start(folder, f"undisturbed-{variant}", VARIANTS[variant])
    said = process.communicate()[1]
    if process.returncode:
        sys.exit(f"the undisturbed training failed: {said}")
    about = json.loads((folder / f"undisturbed-{variant}" / "environment.json").read_text())
    return {"start": time.monotonic() - began, "training": about["seconds"]}


if __name__ == "__main__":
    main()
