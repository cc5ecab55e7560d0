"""Trainings on two processes: the same weights as one, and what the loss of a process does.

    python benchmarks/robustness/lost_process.py --runs 5 --kills 10

Every start is `torchrun --nproc-per-node 2 -m ranklet train RECIPE --out RUN`, on a small random
encoder and the CPU. Three figures: the largest difference between the weights of two processes and
of one, without dropout; runs that finish, with the bytes of an undisturbed one, although a random
process is SIGKILLed at random moments (`--max-restarts`); seconds until the others end when a
process is stopped (SIGSTOP). Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.results import record
from library.small_training import same, write_workplace

PLAIN = ("adapter.dropout=0", "head_dropout=0", "training.metric=loss", "training.max_steps=90")
NOISY = ("training.token_dropout=0.1", "training.metric=loss", "training.max_steps=90")
TOLERANCE = 1e-6

# Seconds in which a process must answer while one is stopped; ten times a step of this training.
TIMEOUT_S = 5


def torchrun(
    folder: Path, out: str, settings: tuple[str, ...], *options: str, timeout_s: int = 60
) -> subprocess.Popen[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *options]
    return _start(folder, [*launcher, "-m"], out, settings, timeout_s)


def _start(
    folder: Path, launcher: list[str], out: str, settings: tuple[str, ...], timeout_s: int = 60
) -> subprocess.Popen[str]:
    command = [*launcher, "ranklet", "train", "recipe.yaml", "--out", out]
    for setting in settings:
        command += ["--set", setting]
    environment = {
        **os.environ,
        "RANKLET_CACHE": str(folder / "cache"),
        "RANKLET_COLLECTIVE_TIMEOUT": str(timeout_s),
        "OMP_NUM_THREADS": "1",
    }
    with (folder / f"{out}.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, text=True
        )


def processes_of(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """Return the id of each process, by its index, that a torchrun has started."""
    found = {}
    for children in Path(f"/proc/{launcher.pid}/task").glob("*/children"):
        for number in children.read_text().split():
            try:
                variables = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            indices = [int(each[5:]) for each in variables if each.startswith(b"RANK=")]
            found |= {index: int(number) for index in indices}
    return found


def wait_until(ready: Callable[[], bool], seconds: float = 300) -> bool:
    ends = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def records(run: Path) -> int:
    metrics = run / "metrics.jsonl"
    return len(metrics.read_bytes().splitlines()) if metrics.exists() else 0


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def largest_difference(one: Path, other: Path) -> float:
    from safetensors.torch import load_file

    held = [load_file(run / "adapter" / "adapter_model.safetensors") for run in (one, other)]
    return max(float((held[0][name] - held[1][name]).abs().max()) for name in held[0])


def must_finish(process: subprocess.Popen[str], folder: Path, out: str) -> None:
    if process.wait():
        sys.exit(f"{out} failed: {(folder / f'{out}.log').read_text()[-3000:]}")


def killed_run(folder: Path, out: str, kills: int, seconds: float, drawn: random.Random) -> bool:
    """Train while random processes are killed; tell whether the training finished."""
    process, run = torchrun(folder, out, NOISY, "--max-restarts", "3"), folder / out
    for _ in range(kills):
        before = records(run)
        wait_until(lambda seen=before: records(run) > seen or process.poll() is not None)
        time.sleep(drawn.uniform(0, seconds / kills))
        processes = processes_of(process)
        if not processes:
            break
        os.kill(drawn.choice(sorted(processes.values())), signal.SIGKILL)
        wait_until(lambda held=processes: processes_of(process) != held, 90)
    try:
        return process.wait(timeout=600) == 0
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return False


def stopped_run(folder: Path) -> tuple[float, float]:
    """Stop a process; return the seconds until the other one, and until torchrun has ended."""
    process = torchrun(folder, "stopped", PLAIN, timeout_s=TIMEOUT_S)
    wait_until(lambda: records(folder / "stopped") > 5 or process.poll() is not None)
    processes, began = processes_of(process), time.monotonic()
    os.kill(processes[1], signal.SIGSTOP)
    wait_until(lambda: not is_alive(processes[0]))
    other = time.monotonic() - began
    process.wait()
    return other, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="with kills, default 5")
    parser.add_argument("--kills", type=int, default=10, help="over all runs, default 10")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    drawn, started = random.Random(options.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_workplace(folder)
        must_finish(_start(folder, [sys.executable, "-m"], "alone", PLAIN), folder, "alone")
        must_finish(torchrun(folder, "two", PLAIN), folder, "two")
        difference = largest_difference(folder / "alone", folder / "two")
        print(f"two processes and one process: {difference:.2e} apart", flush=True)

        must_finish(torchrun(folder, "undisturbed", NOISY), folder, "undisturbed")
        seconds = json.loads((folder / "undisturbed/environment.json").read_text())["seconds"]
        finished = identical = 0
        for number in range(options.runs):
            out = f"killed-{number}"
            kills = options.kills // options.runs + (number < options.kills % options.runs)
            done = killed_run(folder, out, kills, 0.8 * seconds, drawn)
            equal = done and same(folder / out, folder / "undisturbed")
            finished, identical = finished + done, identical + equal
            print(f"{out}: {kills} kills, finished={done}, identical={equal}", flush=True)
            if not equal:
                print((folder / f"{out}.log").read_text()[-3000:], flush=True)
        abort_s, end_s = stopped_run(folder)
    figures = {
        "largest_difference_from_one_process": difference,
        "runs": options.runs,
        "kills": options.kills,
        "finished": finished,
        "identical": identical,
        "stopped_rank": {
            "timeout_s": TIMEOUT_S,
            "other_rank_ended_after_s": round(abort_s, 1),
            "torchrun_ended_after_s": round(end_s, 1),
        },
        "seed": options.seed,
        "seconds": round(time.monotonic() - started),
    }
    record("lost_process", figures)
    passed = difference <= TOLERANCE and finished == identical == options.runs
    sys.exit(0 if passed and abort_s < 4 * TIMEOUT_S else 1)


if __name__ == "__main__":
    main()
