"""What a finished run suggests to whoever trained it."""

from __future__ import annotations

import csv
import shlex

from ranklet.data.reading.memory import IN_MEMORY
from ranklet.evaluation.advice import advise, stand
from ranklet.evaluation.data_description import DataDescription
from ranklet.recipe import load_recipe
from ranklet.run.folder import Run, read_json
from ranklet.run.reading import read_baselines, read_evaluations, read_values


def standing_of(run: Run) -> str | None:
    """Say where a run stands against the simple baselines, on test where it has one.

    Raises:
        RunError: A file of the run is missing or broken.
    """
    baselines = read_baselines(run)
    for split, evaluation in read_evaluations(run).items():
        return stand(evaluation, baselines.get(split, ()))
    return None


def advice_of(run: Run) -> list[str]:
    """Say what would most likely make a run better, judged by its validation texts alone.

    Raises:
        RunError: A file of the run is missing or broken.
    """
    return advise(
        read_evaluations(run)["validation"],
        read_values(DataDescription, run.data, "train again"),
        read_json(run.environment)["truncated"]["train"],
        _doubted(run),
        load_recipe(run.recipe).data.max_length,
    )


def next_commands(run: Run) -> list[str]:
    """Return what is usually called next on a run, as a shell takes it.

    Raises:
        RecipeError: The recipe of the run is not readable.
    """
    folder = shlex.quote(str(run.folder))
    train = load_recipe(run.recipe).data.train
    commands = [
        f"ranklet predict {folder} NEW.csv --output labels.csv",
        f"ranklet evaluate {folder} --data MORE.csv",
    ]
    return (
        commands
        if train == IN_MEMORY
        else [*commands, f"ranklet audit {shlex.quote(train)} --run {folder}"]
    )


def _doubted(run: Run) -> int:
    """Count the validation texts whose own label is likely to be wrong."""
    path = run.errors("validation")
    if not path.is_file():  # where a text may have several labels
        return 0
    with path.open(newline="", encoding="utf-8") as stream:
        return sum(row["likely wrong label"] == "1" for row in csv.DictReader(stream))
