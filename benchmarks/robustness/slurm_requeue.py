"""A training under a real SLURM on this machine that is stopped, requeued, and goes on.

    apt-get install slurmctld slurmd munge slurm-client     # Debian, as root
    python benchmarks/robustness/slurm_requeue.py

Starts munged, slurmctld and slurmd with a configuration of their own in a temporary folder, and
submits `examples/slurm/train.sbatch` twice, as two processes, with a small random encoder. One
job is left alone. The other gets what SLURM sends before a time limit, so that it requeues itself,
and later `scontrol requeue`. Its adapter must have the bytes of the one. Needs root and ends
everything that it started. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.results import record
from library.small_training import same, write_workplace

TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "slurm" / "train.sbatch"
NEEDED = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")
SETTINGS = ("training.epochs=8", "training.token_dropout=0.1", "training.evaluate_every=60")

# proctrack and task plugins that need no cgroups, so that it runs in a container.
CONFIGURATION = """\
ClusterName=ranklet
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=15
MinJobAge=600
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def what_is_missing() -> str | None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        install = "apt-get install slurmctld slurmd munge slurm-client"
        return f"not found: {', '.join(missing)}; on Debian: {install}"
    return None if os.geteuid() == 0 else "SLURM's services are started here as root; you are not"


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Run a SLURM of one machine while the block runs."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    configuration = CONFIGURATION.format(host=host, folder=folder, ports=free_ports(2))
    (folder / "slurm.conf").write_text(configuration, encoding="utf-8")
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    run("mungekey", "--create", f"--keyfile={folder}/munge.key")
    places = [f"--{name}={folder}/munge.{name.split('-')[0]}"
              for name in ("socket", "key-file", "pid-file", "log-file", "seed-file")]  # fmt: skip
    services = (
        ["munged", "--foreground", "--force", *places],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", host],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in services:
            with (folder / f"{command[0]}.out").open("wb") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log))
            time.sleep(2)
        if not wait_until(lambda: "idle" in answer("sinfo", "--noheader", "--format=%t"), 60):
            logs = [folder / f"{command[0]}.out" for command in services]
            said = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs)
            sys.exit(f"SLURM does not start here:\n{said}")
        yield
    finally:
        run("scancel", "--state=RUNNING")
        run("scancel", "--state=PENDING")
        wait_until(lambda: not answer("squeue", "--noheader"), 30)
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(timeout=30)


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def answer(*command: str) -> str:
    return run(*command).stdout.strip()


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


def submit(folder: Path, out: str) -> str:
    options = ["--parsable", "--time=30", "--cpus-per-task=1", f"--output={folder}/{out}.log"]
    given = [part for setting in SETTINGS for part in ("--set", setting)]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RANKLET_CACHE": str(folder / "cache"),
    }
    done = subprocess.run(
        ["sbatch", *options, str(TEMPLATE), "recipe.yaml", out, *given],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"sbatch: {done.stderr}")
    return done.stdout.strip()


def records(folder: Path, out: str) -> int:
    metrics = folder / out / "metrics.jsonl"
    return len(metrics.read_bytes().splitlines()) if metrics.exists() else 0


def finish(folder: Path, out: str, seconds: float) -> None:
    if not wait_until(lambda: (folder / out / "certificate.json").exists(), seconds):
        sys.exit(f"{out} did not finish: {answer('squeue')}\n{(folder / f'{out}.log').read_text()}")


def interrupt(folder: Path, job: str, out: str, *command: str) -> None:
    """Interrupt a job in the middle of its training, and have it begin again without delay."""
    seen = records(folder, out)
    if not wait_until(lambda: records(folder, out) > seen + 15, 600):
        sys.exit(f"{out} does not train:\n{(folder / f'{out}.log').read_text()}")
    told = run(*command)
    print(" ".join(command), told.stdout + told.stderr, flush=True)
    state = ("squeue", "--noheader", f"--jobs={job}", "--format=%T")
    if not wait_until(lambda: answer(*state) == "PENDING", 90):
        sys.exit(f"{out} is not queued again: {answer('squeue')}")
    # A requeued job waits for two minutes by itself; in its first second slurmd would refuse it.
    time.sleep(10)
    wait_until(lambda: not run("scontrol", "update", f"JobId={job}", "StartTime=now").returncode, 9)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    missing = what_is_missing()
    if missing is not None:
        sys.exit(missing)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_workplace(folder)
        with cluster(folder):
            version = answer("sinfo", "--version")
            print(version, answer("sinfo"), sep="\n", flush=True)
            submit(folder, "undisturbed")
            finish(folder, "undisturbed", 900)
            job = submit(folder, "requeued")
            usr1 = ("scancel", "--batch", "--signal=USR1", job)
            interrupt(folder, job, "requeued", *usr1)
            interrupt(folder, job, "requeued", "scontrol", "requeue", job)
            finish(folder, "requeued", 900)
            log = (folder / "requeued.log").read_text()
            print(log, flush=True)
            identical = same(folder / "undisturbed", folder / "requeued")
    figures = {
        "version": version,
        "processes": 2,
        "starts_that_continued": log.count("continues after step"),
        "stopped_by_usr1": log.count("stopped by SIGUSR1"),
        "identical": identical,
        "seconds": round(time.monotonic() - began),
    }
    record("slurm_requeue", figures)
    sys.exit(0 if identical and figures["starts_that_continued"] == 2 else 1)


if __name__ == "__main__":
    main()
