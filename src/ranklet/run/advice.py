"""What a finished run suggests to whoever trained it."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence

import numpy as np

from ranklet.data.reading.memory import IN_MEMORY
from ranklet.evaluation.advice import Circumstances, advise, stand, warn
from ranklet.evaluation.data_description import DataDescription, Lengths
from ranklet.recipe import load_recipe
from ranklet.run.folder import Run, read_json
from ranklet.run.reading import read_baselines, read_evaluations, read_values
from ranklet.run.records import read_records

# A validation loss that fell by a fiftieth with the last look at it has not come to its end.
LEARNING = 0.98
SPECIAL_TOKENS = 2


def standing_of(run: Run) -> list[str]:
    """Say where a run stands against the simple baselines, on test where it has one.

    Returns:
        A line, and where it does not beat them one more that says why not, likely, and what to do.

    Raises:
        RunError: A file of the run is missing or broken.
    """
    baselines = read_baselines(run)
    evaluation = next(iter(read_evaluations(run).values()), None)
    others = baselines.get(evaluation.split, ()) if evaluation else ()
    if evaluation is None or not others:
        return []
    lines = [stand(evaluation, others), warn(evaluation, others, _circumstances(run))]
    return [line for line in lines if line is not None]


def _circumstances(run: Run) -> Circumstances:
    about = read_json(run.environment)
    data = read_values(DataDescription, run.data, "train again")
    recipe = load_recipe(run.recipe, as_shared=True)
    training = recipe.training
    losses = [record["loss"] for record in read_records(run) if record["kind"] == "validation"]
    return Circumstances(
        unknown=about.get("unknown", 0.0),
        truncated=about["truncated"]["train"],
        max_length=recipe.data.max_length,
        tokens_per_word=_tokens_per_word(data, about["truncated"]["train"]),
        texts_per_label=float(np.median(data.label_rows["train"])),
        still_learning=_is_falling(losses),
        longer=f"training.epochs={2 * training.epochs}"
        if training.max_steps is None
        else f"training.max_steps={2 * training.max_steps}",
        slower=f"training.learning_rate={training.learning_rate / 2:.2g}",
    )


def _tokens_per_word(data: DataDescription, truncated: float) -> float:
    """Divide the tokens of a training text in the middle by its words; 0 where it was cut."""
    words = _middle(data.words)
    if truncated >= 0.5 or not words:
        return 0.0
    return (_middle(data.tokens) - SPECIAL_TOKENS) / words


def _middle(lengths: Lengths) -> int:
    """Return about the length that half of the training texts are below."""
    counts = np.cumsum(lengths.texts["train"])
    return lengths.starts[int(np.searchsorted(counts, counts[-1] / 2))]


def _is_falling(losses: Sequence[float]) -> bool:
    """Tell whether the last loss is the least by more than chance would have it."""
    return len(losses) > 1 and losses[-1] < LEARNING * min(losses[:-1])


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
