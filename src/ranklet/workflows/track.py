"""track: a training told to several observers at once, and one that writes TensorBoard's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ranklet.errors import MissingExtraError
from ranklet.evaluation.result import from_json
from ranklet.run import Run, read_json
from ranklet.training.fit import Record
from ranklet.workflows.train import Observer
from ranklet.workflows.write_run import EVALUATED_SPLITS

# What a record says about itself rather than about the training.
_PLACE = ("kind", "step")


def together(observers: Sequence[Observer]) -> Observer:
    """Return an observer that tells several ones, in their order."""

    def each(call: Callable[[Observer], None]) -> None:
        for observer in observers:
            call(observer)

    return Observer(
        announce=lambda line: each(lambda observer: observer.announce(line)),
        start=lambda total_steps: each(lambda observer: observer.start(total_steps)),
        record=lambda record: each(lambda observer: observer.record(record)),
        finish=lambda run: each(lambda observer: observer.finish(run)),
    )


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
        for split, path in _evaluations(finished).items():
            accuracy = from_json(read_json(path)).accuracy.value
            writer().add_scalar(f"evaluation/{split}_accuracy", accuracy, step)

    try:
        yield Observer(record=record, finish=finish)
    finally:
        for opened in open_writers:
            opened.close()


def _evaluations(run: Run) -> dict[str, Path]:
    paths = {split: run.evaluation / f"{split}.json" for split in EVALUATED_SPLITS}
    return {split: path for split, path in paths.items() if path.is_file()}
