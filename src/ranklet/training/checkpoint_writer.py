"""Checkpoints written in a thread of their own, so that training does not wait for the disk."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ranklet.errors import RunError
from ranklet.training.checkpoints import Checkpoint, remove_checkpoints, write_checkpoint


@dataclass
class CheckpointFigures:
    """What checkpoints cost a training.

    Attributes:
        written: Checkpoints written.
        bytes: Size of all of them together.
        waited_s: Seconds in which training stood still, for copies and for the write before.
        writing_s: Seconds of writing beside it.
    """

    written: int = 0
    bytes: int = 0
    waited_s: float = 0.0
    writing_s: float = 0.0


class CheckpointWriter:
    """Writes one checkpoint at a time into a folder, keeps the newest, and remembers the cost.

    A write that fails is reported by the next one or by `finish`. To be used as a context: at its
    end nothing is left half written.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep
        self.figures = CheckpointFigures()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        self._running: Future[None] | None = None

    def write(self, checkpoint: Checkpoint) -> None:
        """Copy a checkpoint's tensors and have it written; waits for the write before.

        Raises:
            RunError: The write before has failed.
        """
        self.finish()
        started = time.perf_counter()
        self._running = self._thread.submit(self._write, checkpoint.copied())
        self.figures.waited_s += time.perf_counter() - started

    def finish(self) -> None:
        """Wait until everything is on disk.

        Raises:
            RunError: The last write has failed.
        """
        started = time.perf_counter()
        running, self._running = self._running, None
        if running is not None:
            running.result()
        self.figures.waited_s += time.perf_counter() - started

    def _write(self, checkpoint: Checkpoint) -> None:
        started = time.perf_counter()
        self.figures.bytes += write_checkpoint(self.folder, checkpoint)
        self.figures.written += 1
        remove_checkpoints(self.folder, self.keep)
        self.figures.writing_s += time.perf_counter() - started

    def __enter__(self) -> CheckpointWriter:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Wait until everything is on disk; an error of the block goes before one of a write."""
        try:
            with suppress(RunError) if error is not None else nullcontext():
                self.finish()
        finally:
            self._thread.shutdown()
