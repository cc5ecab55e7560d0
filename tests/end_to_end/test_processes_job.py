"""Several processes: the weights of one, one writer, and a lost process that costs nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import ranklet as library
from ranklet.errors import RunError
from ranklet.run.folder import Run
from ranklet.training.checkpoints import checkpoint_folders

Command = Callable[..., Any]

# Batches of 7, so that two processes have parts of different size; frozen layers that both find.
OPTIONS = [
    "adapter.layers=[1]",
    "training.epochs=3",
    "training.batch_size=7",
    "training.learning_rate=1e-2",
]

# Each process trains three times: as it should, and with what must show.
RANK = f"""\
import os
import ranklet
from ranklet.training.processes import Processes
from ranklet.workflows import train as workflow

workflow.write_run_report = lambda run, hashes: None
recipe = ranklet.load_recipe("recipe.yaml", {OPTIONS})

def train(out, port):
    os.environ["MASTER_PORT"] = port
    ranklet.train(recipe, out)

first, second, third = os.environ["PORTS"].split(",")
train("two", first)
add_up = Processes.add_up

def each_for_itself(self, parameters, loss, counts):
    return loss, counts

def as_if_parts_were_equal(self, parameters, loss, counts):
    for parameter in parameters:
        if self.index and parameter.grad is not None:
            parameter.grad *= 4 / 3
    return add_up(self, parameters, loss, counts)

Processes.add_up = each_for_itself
train("each-for-itself", second)
Processes.add_up = as_if_parts_were_equal
train("unweighted", third)
"""


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(server.getsockname()[1]) for server in sockets]
    for server in sockets:
        server.close()
    return ports


def environment(index: int, count: int = 2, **more: str) -> dict[str, str]:
    launch = {"RANK": str(index), "WORLD_SIZE": str(count), "LOCAL_RANK": str(index)}
    return {**os.environ, **launch, "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1", **more}


def distance(first: str, second: str) -> float:
    tensors = [
        load_file(Path(out, "adapter", "adapter_model.safetensors")) for out in (first, second)
    ]
    return max(float((tensors[0][name] - tensors[1][name]).abs().max()) for name in tensors[0])


def test_two_processes_train_to_the_weights_of_one_process(workplace: Path) -> None:
    library.train(library.load_recipe("recipe.yaml", OPTIONS), "one")
    ports = ",".join(free_ports(3))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            env=environment(index, PORTS=ports),
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert distance("one", "two") <= 1e-6
    assert distance("one", "each-for-itself") > 1e-4
    assert distance("one", "unweighted") > 1e-4
    records = [Path(out, "metrics.jsonl").read_text().splitlines() for out in ("one", "two")]
    for alone, shared in zip(*(map(json.loads, lines) for lines in records), strict=True):
        assert alone.keys() == shared.keys()
        for name in ("step", "epoch", "texts", "tokens"):
            assert alone.get(name) == shared.get(name)
        assert alone["loss"] == pytest.approx(shared["loss"], abs=1e-6)
    assert json.loads(Run(Path("two")).environment.read_text())["processes"] == 2
    assert not list(Path().rglob(".ranklet-*"))


def processes_of(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """Return the id of each process, by its index, that a torchrun has started."""
    ids = {}
    for children in Path(f"/proc/{launcher.pid}/task").glob("*/children"):
        for number in children.read_text().split():
            try:
                variables = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ids |= {
                int(entry[5:]): int(number) for entry in variables if entry.startswith(b"RANK=")
            }
    return ids


def test_a_killed_process_is_started_again_and_the_training_goes_on(workplace: Path) -> None:
    long = ["training.epochs=20", "training.checkpoint_every=1", "training.evaluate_every=100"]
    noisy = ["adapter.dropout=0.1", "training.token_dropout=0.1"]

    def torchrun(out: str) -> subprocess.Popen[str]:
        options = ["--nproc-per-node", "2", "--max-restarts", "3", "--monitor-interval", "0.1"]
        launcher = [sys.executable, "-m", "torch.distributed.run", *options]
        given = [part for option in [*long, *noisy] for part in ("--set", option)]
        return subprocess.Popen(
            [*launcher, "start.py", "train", "recipe.yaml", "--out", out, *given],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    # As `-m ranklet`, without the report.
    Path("start.py").write_text(
        "from ranklet.cli.main import run\n"
        "from ranklet.workflows import train as workflow\n"
        "workflow.write_run_report = lambda run, hashes: None\n"
        "run()\n"
    )
    disturbed, undisturbed = torchrun("killed"), torchrun("undisturbed")
    while len(checkpoint_folders(Path("killed", "checkpoints"))) < 2:
        assert disturbed.poll() is None, disturbed.communicate()
        time.sleep(0.01)
    os.kill(processes_of(disturbed)[1], signal.SIGKILL)
    said = [launcher.communicate(timeout=200)[1] for launcher in (disturbed, undisturbed)]
    assert (disturbed.returncode, undisturbed.returncode) == (0, 0), said
    assert "continues after step" in said[0]
    assert said[1].count("budget: ") == 1  # process 1 says nothing
    assert distance("killed", "undisturbed") == 0
    assert Path("killed/certificate.json").read_bytes() == (
        Path("undisturbed/certificate.json").read_bytes()
    )


def test_what_a_launcher_sets_wrongly_is_one_line(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal(*arguments: str, **changes: str) -> str:
        with monkeypatch.context() as patch:
            for name, value in changes.items():
                patch.setenv(name, value)
            answer = ranklet("train", "recipe.yaml", *arguments)
        assert answer.returncode == 2
        (line,) = answer.stderr.splitlines()
        return str(line)

    whole = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "here", "MASTER_PORT": "29500"}
    assert refusal("--out", "new", **whole, RANK="2") == (
        "error: environment variable RANK: '2' is not allowed; allowed: 0 to 1"
    )
    assert refusal("--out", "new", RANK="0").startswith(
        "error: environment variable WORLD_SIZE is not set, but others of several processes are;"
    )
    assert refusal(**whole, RANK="1") == (
        "error: a folder of its own for each start: not with 2 processes; name one with --out"
    )
    assert refusal("--out", "new", "--seeds", "0..1", **whole, RANK="1") == (
        "error: --seeds: not with 2 processes; start one training for each seed"
    )
    assert not Path("new").exists()
    for name, value in {**whole, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match="not with 2 processes; name one"):
        library.train(library.load_recipe("recipe.yaml"))


def test_a_finished_run_that_is_started_again_by_the_launcher_is_left_alone(
    workplace: Path, ranklet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("run", "certificate.json").stat()
    for name, value in {"RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert ranklet("train", "recipe.yaml", "--out", "run").returncode == 2
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    answer = ranklet("train", "recipe.yaml", "--out", "run")
    assert answer.returncode == 0, answer.stderr
    assert "run: finished before the processes were started again" in answer.stderr
    assert Path("run", "certificate.json").stat() == before
