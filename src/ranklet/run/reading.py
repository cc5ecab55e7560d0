"""What lies in a run's folder, read back; what a run lacks is None or left out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ranklet.evaluation.curves import Curves
from ranklet.evaluation.json_values import from_values
from ranklet.evaluation.result import EVALUATED_SPLITS, Evaluation, from_json
from ranklet.evaluation.stress import Stress
from ranklet.run.folder import Run, read_json

T = TypeVar("T")


def read_evaluations(run: Run) -> dict[str, Evaluation]:
    """Read the evaluations that a run has, by split.

    Raises:
        RunError: A file is broken.
    """
    paths = {name: run.evaluation / f"{name}.json" for name in EVALUATED_SPLITS}
    return {name: from_json(read_json(path)) for name, path in paths.items() if path.is_file()}


def read_curves(run: Run, split: str) -> Curves | None:
    """Read the points of the curves of a split; None in runs of earlier versions.

    Raises:
        RunError: The file is broken.
    """
    path = curves_file(run, split)
    return read_values(Curves, path, "train again") if path.is_file() else None


def read_stress(run: Run) -> Stress | None:
    """Read what shifts did to a run; None where `ranklet stress` did not measure it.

    Raises:
        RunError: The file is broken.
    """
    path = stress_file(run)
    return read_values(Stress, path, "stress the run again") if path.is_file() else None


def read_values(kind: type[T], path: Path, remedy: str) -> T:
    """Read a JSON file of a run as a dataclass.

    Raises:
        RunError: It is missing or holds something else; `remedy` says what makes it anew.
    """
    return from_values(kind, read_json(path), str(path), remedy)


def baselines_file(run: Run) -> Path:
    """Return where a run keeps the figures of its baselines."""
    return run.evaluation / "baselines.json"


def curves_file(run: Run, split: str) -> Path:
    """Return where a run keeps the points of the curves of a split."""
    return run.evaluation / f"{split}_curves.json"


def stress_file(run: Run) -> Path:
    """Return where a run keeps what shifts of its test texts did to it."""
    return run.evaluation / "stress.json"
