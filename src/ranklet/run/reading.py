"""What lies in a run's folder, read back; what a run lacks is None or left out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.curves import Curves
from ranklet.evaluation.data_description import DataDescription
from ranklet.evaluation.importance import Importance
from ranklet.evaluation.result import EVALUATED_SPLITS, Evaluation
from ranklet.evaluation.stress import Stress
from ranklet.json_values import from_values
from ranklet.run.folder import Run, read_json

T = TypeVar("T")


def read_evaluations(run: Run) -> dict[str, Evaluation]:
    """Read the evaluations that a run has, by split.

    Raises:
        RunError: A file is broken.
    """
    paths = {split: run.evaluation_of(split) for split in EVALUATED_SPLITS}
    return {
        split: read_values(Evaluation, path, "evaluate the run again")
        for split, path in paths.items()
        if path.is_file()
    }


def read_curves(run: Run, split: str) -> Curves:
    """Read the points of the curves of a split.

    Raises:
        RunError: The file is missing or broken.
    """
    return read_values(Curves, run.curves(split), "train again")


def read_baselines(run: Run) -> dict[str, tuple[Baseline, ...]]:
    """Read the baselines of each split; none where they were not fitted.

    Raises:
        RunError: The file is broken.
    """
    return _where_it_is(dict[str, tuple[Baseline, ...]], run.baselines, "train again") or {}


def read_data_description(run: Run) -> DataDescription | None:
    """Read what a run was trained on, in numbers; None of a shrunk run of a bare adapter.

    Raises:
        RunError: The file is broken.
    """
    return _where_it_is(DataDescription, run.data, "train again")


def read_importance(run: Run, split: str) -> Importance | None:
    """Read the words behind the errors of a split; None where they were not looked for.

    Raises:
        RunError: The file is broken.
    """
    return _where_it_is(Importance, run.importance(split), "train again")


def read_stress(run: Run) -> Stress | None:
    """Read what shifts did to a run; None where `ranklet stress` did not measure it.

    Raises:
        RunError: The file is broken.
    """
    return _where_it_is(Stress, run.stress, "stress the run again")


def was_interrupted(run: Run) -> bool:
    """Tell whether Ctrl-C ended the training of a finished run.

    Raises:
        RunError: The file that says so is missing or broken.
    """
    return read_json(run.environment).get("ended_by") == "interrupt"


def read_values(kind: type[T], path: Path, remedy: str) -> T:
    """Read a JSON file of a run as a dataclass, or as a container of some.

    Raises:
        RunError: It is missing or holds something else; `remedy` says what makes it anew.
    """
    return from_values(kind, read_json(path), str(path), remedy)


def _where_it_is(kind: type[T], path: Path, remedy: str) -> T | None:
    return read_values(kind, path, remedy) if path.is_file() else None
