"""Train a trial up to a rung: the whole of what a worker does."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ranklet.errors import RankletError, TrainingDivergedError, TrainingStoppedError
from ranklet.recipe import Recipe
from ranklet.run.folder import Run
from ranklet.run.observer import Observer
from ranklet.run.records import read_records

Ending = Literal["paused", "finished", "diverged", "failed"]


@dataclass(frozen=True)
class Job:
    """A training that a worker is to do, or to go on with.

    Attributes:
        number: Of the trial, or whatever tells the caller's jobs apart.
        recipe: As JSON, complete.
        folder: Of the run.
        share: Of the training, after whose first validation it pauses; 1: it is finished.
    """

    number: int
    recipe: str
    folder: str
    share: float


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        ending: How it ended.
        value: Best validation so far, higher is better; None where there was none.
        steps: Optimizer steps that the run has taken, earlier jobs included.
        seconds: Of this job.
        error: Last line of an exception.
        traceback: The whole of it.
    """

    ending: Ending
    value: float | None
    steps: int
    seconds: float
    error: str = ""
    traceback: str = ""


class _RungReached(Exception):
    """Ends a training behind a validation, whose checkpoint is on disk."""


def do_job(job: Job) -> Outcome:
    """Train a run up to a rung and say what came of it; no exception but an interrupt gets out."""
    from ranklet.workflows.train import train

    recipe, run = Recipe.model_validate_json(job.recipe), Run(Path(job.folder))
    started = time.perf_counter()
    ending: Ending = "finished"
    message = trace = ""
    try:
        if not run.is_finished:
            train(recipe, run.folder, observer=_pausing(job.share))
    except _RungReached:
        ending = "paused"
    except TrainingStoppedError:
        raise  # a signal to this machine: somebody goes on from the checkpoint
    except TrainingDivergedError as error:
        ending, message = "diverged", str(error)
    except Exception as error:
        ending, trace = "failed", traceback.format_exc()
        name = "" if isinstance(error, RankletError) else f"{type(error).__name__}: "
        message = f"{name}{error}".partition("\n")[0]
    seconds = time.perf_counter() - started
    value, steps = progress_of(run, recipe.training.metric)
    return Outcome(ending, value, steps, seconds, message, trace)


def _pausing(share: float) -> Observer:
    total = 0

    def start(steps: int) -> None:
        nonlocal total
        total = steps

    def record(entry: dict[str, Any]) -> None:
        step = entry["step"]
        if entry["kind"] == "validation" and share * total - 1e-6 <= step < total:
            raise _RungReached

    return Observer(start=start, record=record)


def progress_of(run: Run, metric: str) -> tuple[float | None, int]:
    """Return the best validation of a run so far, higher is better, and its optimizer steps."""
    sign = -1.0 if metric == "loss" else 1.0
    records = read_records(run) if run.metrics.is_file() else []
    values = [sign * entry[metric] for entry in records if entry["kind"] == "validation"]
    return max(values, default=None), max((entry["step"] for entry in records), default=0)
