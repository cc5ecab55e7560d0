"""Observer: who is told what happens during a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from ranklet.errors import MissingExtraError
from ranklet.run.folder import Run, read_json
from ranklet.run.reading import read_evaluations
from ranklet.training.records import Record


@dataclass(frozen=True)
class Observer:
    """Who is told what happens during a training.

    Attributes:
        report: Receives lines for a person.
        start: Receives the number of optimizer steps before the first.
        record: Receives every training and validation record.
        finish: Receives the finished run.
    """

    report: Callable[[str], None] = lambda line: None
    start: Callable[[int], None] = lambda total_steps: None
    record: Callable[[Record], None] = lambda record: None
    finish: Callable[[Run], None] = lambda run: None


# What a record says about itself rather than about the training.
_PLACE = ("kind", "step")


def together(observers: Sequence[Observer]) -> Observer:
    """Return an observer that tells several ones, in their order."""

    def to_all(event: str) -> Callable[[Any], None]:
        def call(value: Any) -> None:
            for observer in observers:
                getattr(observer, event)(value)

        return call

    return Observer(*(to_all(field.name) for field in fields(Observer)))


@contextmanager
def tensorboard_events(run: Run) -> Iterator[Observer]:
    """Write every number of every record as a scalar, `train/loss` and so on, by step.

    Args:
        run: Where the events go, below its folder; they are begun with the first record.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("TensorBoard's events", "track") from error
    open_writers: list[Any] = []

    def writer() -> Any:
        if not open_writers:
            open_writers.append(SummaryWriter(str(run.events)))
        return open_writers[0]

    def record(entry: Record) -> None:
        for name, value in entry.items():
            if name not in _PLACE:
                writer().add_scalar(f"{entry['kind']}/{name}", value, entry["step"])

    def finish(finished: Run) -> None:
        step = read_json(finished.environment)["best_step"]
        for split, evaluation in read_evaluations(finished).items():
            writer().add_scalar(f"evaluation/{split}_accuracy", evaluation.accuracy.value, step)

    try:
        yield Observer(record=record, finish=finish)
    finally:
        for events in open_writers:
            events.close()
