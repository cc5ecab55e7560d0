"""SIGTERM and SIGUSR1 end a training in order, so that it can go on later.

Schedulers send them before they take a machine away: SLURM SIGTERM, or what `--signal` names.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ranklet.errors import TrainingStoppedError
from ranklet.termination import raise_terminated

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

# What ends a program, in one way or another; anything else listens for a purpose of its own.
_ENDINGS = (signal.SIG_DFL, signal.default_int_handler, raise_terminated)


class StopRequest:
    """What a signal asked for: an end, at once or where the work in hand is done.

    Attributes:
        signal: Name of the signal, or None as long as there was none.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self._at_once = True
        self._ignored = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; from here on another one ends the process as if nobody listened."""
        del frame
        _stop_listening()
        self.signal = signal.Signals(number).name
        if self._at_once and not self._ignored:
            self.obey()

    def ignore(self) -> None:
        """Let the training come to its end whatever signal arrives from here on."""
        self._ignored = True

    def obey(self, after: str = "") -> None:
        """End the training.

        Raises:
            TrainingStoppedError: Always.
        """
        raise TrainingStoppedError(
            f"stopped by {self.signal}{after}; run the same command again to continue"
        )

    def agree(self, any_process: Callable[[bool], bool]) -> None:
        """Take over what a signal asked of another process, so that all end after the same step.

        Args:
            any_process: Tells whether something is true of any process.
        """
        if any_process(self.signal is not None) and self.signal is None:
            self.signal = "a signal to another process"

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a signal wait until the block, which looks at `signal`, or its end obeys.

        Raises:
            TrainingStoppedError: There was a signal and the block ended as if there was none.
        """
        with self._mode(at_once=False):
            yield
        if self.signal is not None:
            self.obey()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end the block where it is; one that waits ends it before it begins.

        Raises:
            TrainingStoppedError: There was or came a signal.
        """
        with self._mode(at_once=True):
            if self.signal is not None:
                self.obey()
            yield

    @contextmanager
    def _mode(self, at_once: bool) -> Iterator[None]:
        before, self._at_once = self._at_once, at_once
        try:
            yield
        finally:
            self._at_once = before


@contextmanager
def stop_on_signals(interrupt: bool = False) -> Iterator[StopRequest]:
    """Listen to `STOP_SIGNALS` while the block runs.

    A program that listens to one itself keeps doing so. Nothing changes outside of the main thread,
    where Python delivers no signals, and in workers of multiprocessing, which SIGTERM is to end.

    Args:
        interrupt: Ctrl-C is one of them too: of several processes, none can end a training by
            itself.
    """
    request = StopRequest()
    before: dict[signal.Signals, Any] = {}
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and multiprocessing.parent_process() is None:
        for number in (*STOP_SIGNALS, *([signal.SIGINT] if interrupt else [])):
            if signal.getsignal(number) in _ENDINGS:
                before[number] = signal.signal(number, request.receive)
    try:
        yield request
    finally:
        for number, ending in before.items():
            if signal.getsignal(number) == request.receive:
                signal.signal(number, ending)


def _stop_listening() -> None:
    for number in (*STOP_SIGNALS, signal.SIGINT):
        listener = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(listener, StopRequest):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
