"""SIGTERM as an exception, so that what cleans up after Ctrl-C cleans up after it too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """SIGTERM ends the program."""


def raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    """Listen to SIGTERM.

    Raises:
        TerminatedError: Always.
    """
    raise TerminatedError


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise `TerminatedError` while the block runs.

    A program that listens to it or ignores it keeps doing so.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    listens = in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if listens:
        signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        if listens:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
