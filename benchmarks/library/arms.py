"""Ways to train, compared: rates tuned on validation, pairs by seed, one JSON line a run."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ranklet
from ranklet.evaluation.comparison.across_seeds import across_seeds

Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: What the table calls it.
        settings: Fields of the recipe that make it, such as `training.optimizer=muon`.
        rates: Learning rates to choose from.
    """

    name: str
    settings: tuple[str, ...] = ()
    rates: tuple[float, ...] = (1e-3,)


def run_arms(
    arms: Sequence[Arm],
    settings: Callable[[int], Sequence[str]],
    seeds: Sequence[int],
    results: Path,
    metric: str = "accuracy",
    measure: Callable[[ranklet.Run], Row] = lambda run: {},
) -> list[Row]:
    """Train every arm with every seed and return the runs at each arm's own learning rate.

    The rate is the one with the best validation on the first seed; what the results hold already is
    not run again.

    Args:
        arms: What to compare.
        settings: Seed -> fields that all arms share, data among them.
        seeds: The first one tunes.
        results: JSON lines of earlier runs; new ones are added.
        metric: `accuracy` or `macro_f1`.
        measure: Finished run -> more figures for its line.
    """
    rows = read_rows(results)

    def held(arm: Arm, seed: int, rate: float) -> Row:
        job: Row = {"arm": arm.name, "seed": seed, "learning_rate": rate}
        job["set"] = [*settings(seed), *arm.settings]
        for row in rows:
            if {name: row[name] for name in job} == job:
                return row
        rows.append(job | run(job, measure))
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")
        print(json.dumps(rows[-1]), flush=True)
        return rows[-1]

    tuned = [
        max(
            (held(arm, seeds[0], rate) for rate in arm.rates),
            key=lambda row: row["validation"][metric],
        )
        for arm in arms
    ]
    others = [
        held(arm, seed, first["learning_rate"])
        for seed in seeds[1:]
        for arm, first in zip(arms, tuned, strict=True)
    ]
    return tuned + others


def run(job: Row, measure: Callable[[ranklet.Run], Row]) -> Row:
    """Train once and return what validation and test say, each accuracy and macro F1."""
    settings = [f"seed={job['seed']}", f"training.learning_rate={job['learning_rate']}"]
    recipe = ranklet.load_recipe("ag_news", ["encoder=minilm", *settings, *job["set"]])
    with tempfile.TemporaryDirectory() as folder:
        found = ranklet.train(recipe, Path(folder) / "run")
        about = json.loads(found.environment.read_text(encoding="utf-8"))
        plan = json.loads(found.plan.read_text(encoding="utf-8"))
        return {
            "parameters": plan["total"],
            "seconds": round(about["seconds"], 1),
            **{split: figures(found, split) for split in ("validation", "test")},
            **measure(found),
        }


def figures(run: ranklet.Run, split: str) -> dict[str, float]:
    read = json.loads((run.evaluation / f"{split}.json").read_text(encoding="utf-8"))
    return {"accuracy": read["accuracy"], "macro_f1": read["f1"]["macro"]["value"]}


def read_rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of a sample and its 95 % interval, without bounds for a single value."""
    found = across_seeds(values)
    return found.mean, *(found.interval or (float("-inf"), float("inf")))


def table(rows: Sequence[Row], against: str, metric: str = "accuracy") -> str:
    """Write the runs as a Markdown table, in points, with differences paired by seed."""
    names = list(dict.fromkeys(row["arm"] for row in rows))
    reference = {row["seed"]: row["test"][metric] for row in rows if row["arm"] == against}
    word = metric.replace("_", " ")
    lines = [
        f"| arm | learning rate | seeds | validation {word} | test {word} | against {against} |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        own = [row for row in rows if row["arm"] == name]
        test = [100 * row["test"][metric] for row in own]
        spread = f" ± {statistics.stdev(test):.2f}" if len(test) > 1 else ""
        validation = 100 * statistics.mean(row["validation"][metric] for row in own)
        pairs = [100 * (row["test"][metric] - reference[row["seed"]]) for row in own]
        mean, low, high = interval(pairs)
        paired = "" if name == against else f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
        lines.append(
            f"| {name} | {own[0]['learning_rate']:g} | {len(own)} | {validation:.2f} % "
            f"| {statistics.mean(test):.2f} %{spread} | {paired} |"
        )
    return "\n".join(lines)
