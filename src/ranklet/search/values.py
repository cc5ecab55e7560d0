"""Values and settings of trials as figures and tables show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ranklet.evaluation.report.figures.drawing import SHARE
from ranklet.search.trial import SearchResult, Trial

# Finished trials; of fewer an importance is mostly luck (Watanabe et al. 2023, arXiv:2304.10255).
LEAST_FOR_IMPORTANCE = 50

_METRICS = {"macro_f1": "macro F1", "loss": "negative loss"}


def metric_in_words(metric: str) -> str:
    """Name the figure that decides; a loss is negated, since higher is better."""
    return _METRICS.get(metric, metric)


def is_share(metric: str) -> bool:
    """Return whether values are shares, which are shown in percent."""
    return metric != "loss"


def unit_of_values(result: SearchResult) -> dict[str, str]:
    """Return the unit of the values by the name of their column."""
    return {metric_in_words(result.metric): SHARE if is_share(result.metric) else "nats, negated"}


def finished_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that were trained to their end: only their values are comparable."""
    return [t for t in trials if t.state == "finished" and finite_value(t) is not None]


def finite_value(trial: Trial) -> float | None:
    """Return the value of a trial; None where it has none, or none that a scale can show."""
    value = trial.value
    return value if value is not None and math.isfinite(value) else None


def lowest_shown(values: Sequence[float]) -> float:
    """Return the value below which a figure shows none at its place.

    Where a few trials learned nothing, a scale down to them would press all others together. The
    fence is Tukey's outer one: three times the distance of the quartiles below the lower one.
    """
    lower, upper = np.quantile(values, [0.25, 0.75])
    return min(value for value in values if value >= lower - 3 * (upper - lower))


def setting_names(trials: Sequence[Trial]) -> tuple[str, ...]:
    """List the dotted fields that any trial sets, in the order of the first that has them."""
    return tuple(dict.fromkeys(name for trial in trials for name in trial.settings))


def short_names(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Shorten dotted fields to their last word where no other is called so, and none is taken."""
    last = {name: name.rpartition(".")[2] for name in names}
    words = [*last.values(), *taken]
    return {name: word if words.count(word) == 1 else name for name, word in last.items()}


def are_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are finite numbers; true and false are words."""
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )


def setting_in_words(value: Any) -> str:
    """Write a value of a recipe: figures with four digits, lists with commas."""
    match value:
        case None | bool():
            return {None: "none", True: "true", False: "false"}[value]
        case float():
            return f"{value:.4g}"
        case Mapping():
            return ", ".join(f"{key}: {setting_in_words(part)}" for key, part in value.items())
        case list() | tuple():
            return ", ".join(map(setting_in_words, value)) or "none"
        case _:
            return str(value)
