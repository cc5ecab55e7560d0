"""Who trains the trials: processes of this machine, or tasks on a Ray cluster.

A worker that dies is replaced and its job said to be lost; whoever gave it out gives it out again,
and it goes on from its checkpoint. A worker ends with its parent, however that ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol

from ranklet.errors import MissingExtraError
from ranklet.workflows._tune.job import Job, Outcome, do_job

STARTING = "worker"


class Workers(Protocol):
    """Those that train."""

    count: int
    """How many jobs can run at once."""

    @property
    def idle(self) -> int:
        """How many more jobs can run now."""

    def submit(self, job: Job) -> None:
        """Give out a job; somebody is idle."""

    def wait(self, seconds: float | None) -> tuple[Job, Outcome | None] | None:
        """Return a job that ended, without an outcome where its worker died; None: none did yet."""

    def close(self) -> None:
        """End them all, whatever they do."""


class LocalWorkers:
    """Processes of this machine, which share its threads.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._threads = max(1, (os.cpu_count() or 1) // count)
        self._ended: queue.Queue[tuple[_Process, str | None]] = queue.Queue()
        self._idle: list[_Process | None] = [None] * count
        self._busy: dict[_Process, Job] = {}

    @property
    def idle(self) -> int:
        """How many more jobs can run now."""
        return len(self._idle)

    def submit(self, job: Job) -> None:
        """Give out a job; a process that is missing is started."""
        process = self._idle.pop() or _Process(self._threads, self._ended)
        self._busy[process] = job
        process.send(json.dumps(asdict(job)))

    def wait(self, seconds: float | None) -> tuple[Job, Outcome | None] | None:
        """Return a job that ended, without an outcome where its worker died; None: none did yet."""
        try:
            process, line = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        job = self._busy.pop(process)
        self._idle.append(process if line is not None else None)
        return job, None if line is None else Outcome(**json.loads(line))

    def close(self) -> None:
        """End them all, whatever they do."""
        for process in (*self._busy, *self._idle):
            if process is not None:
                process.end()


class _Process:
    """A process that reads jobs and writes outcomes, a line each."""

    def __init__(self, threads: int, ended: queue.Queue[tuple[_Process, str | None]]) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", __name__, STARTING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        self._listener = threading.Thread(target=self._listen, args=(ended,), daemon=True)
        self._listener.start()

    def send(self, line: str) -> None:
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError, ValueError):  # it died; whoever listens to it says so
            self._popen.stdin.write(line + "\n")
            self._popen.stdin.flush()

    def end(self) -> None:
        self._popen.kill()
        self._listener.join()

    def _listen(self, ended: queue.Queue[tuple[_Process, str | None]]) -> None:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            ended.put((self, line))
        self._popen.wait()
        with suppress(BrokenPipeError):
            self._popen.stdin.close()
        self._popen.stdout.close()
        ended.put((self, None))


class RayWorkers:
    """Tasks on a Ray cluster; every node sees the folder of the search under the same path.

    Args:
        count: How many at once.
        address: Of the cluster; None: the one that the environment names, else a new one here.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, count: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("trials on a cluster", "ray") from error
        self._ray: Any = ray
        if not ray.is_initialized():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        self.count = count
        self._running: dict[Any, Job] = {}
        # A lost task is given out again by the search, which knows how far it had come.
        self._task = ray.remote(max_retries=0, num_cpus=1)(_as_task)

    @property
    def idle(self) -> int:
        """How many more jobs can run now."""
        return self.count - len(self._running)

    def submit(self, job: Job) -> None:
        """Give out a job."""
        self._running[self._task.remote(job, os.getcwd())] = job

    def wait(self, seconds: float | None) -> tuple[Job, Outcome | None] | None:
        """Return a job that ended, without an outcome where its node was lost; None: none yet."""
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        if not ready:
            return None
        job = self._running.pop(ready[0])
        try:
            return job, self._ray.get(ready[0])
        except self._ray.exceptions.RayError:
            return job, None

    def close(self) -> None:
        """Cancel what runs; the cluster stays."""
        for task in self._running:
            self._ray.cancel(task, force=True)


def _as_task(job: Job, folder: str) -> Outcome:
    """Do a job in the folder that its relative paths begin at."""
    os.chdir(folder)
    return do_job(job)


def _work() -> None:
    """Do the jobs that come in until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search, which ends this one
    jobs: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(line)
        os._exit(0)  # the search is gone, and what runs here would train for nobody

    threading.Thread(target=read, daemon=True).start()
    while True:
        outcome = do_job(Job(**json.loads(jobs.get())))
        print(json.dumps(asdict(outcome)), flush=True)  # noqa: T201


if __name__ == "__main__" and sys.argv[1:] == [STARTING]:
    _work()
