"""Observer: who is told what happens during a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ranklet.run import Run
from ranklet.training.fit import Record


@dataclass(frozen=True)
class Observer:
    """Who is told what happens during a training.

    Attributes:
        announce: Receives lines for a person.
        start: Receives the number of optimizer steps before the first.
        record: Receives every training and validation record.
        finish: Receives the finished run.
    """

    announce: Callable[[str], None] = lambda line: None
    start: Callable[[int], None] = lambda total_steps: None
    record: Callable[[Record], None] = lambda record: None
    finish: Callable[[Run], None] = lambda run: None
