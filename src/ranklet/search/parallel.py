"""Parallel coordinates: a line a trial, through its settings to its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series
from ranklet.search.trial import SearchResult, Trial
from ranklet.search.values import (
    are_numbers,
    finite_value,
    lowest_shown,
    metric_in_words,
    setting_in_words,
    setting_names,
    unit_of_values,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SPAN = 10  # from the lowest to the highest, from which on an axis is logarithmic
_FEW = 6  # values of a figure that all have their tick
_LEAST_GAP = 0.075  # of an axis between two ticks, below which their words overlap


@dataclass(frozen=True)
class Scale:
    """One axis of parallel coordinates.

    Attributes:
        places: Where each trial crosses it, 0 to 1; NaN where it does not.
        ticks: Places and their words, ascending.
    """

    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]


def parallel_coordinates(result: SearchResult) -> Drawing:
    """Show the settings of every trial and, of the finished ones, the value."""
    metric = metric_in_words(result.metric)
    series = [
        Series(name, {"setting": [_setting(trial, name) for trial in result.trials]})
        for name in setting_names(result.trials)
    ]
    values = [finite_value(t) if t.state == "finished" else None for t in result.trials]
    numbers = Numbers(
        f"Settings and validation {metric}",
        {**unit_of_values(result), "setting": "as in a recipe"},
        (*series, Series(metric, {"setting": values})),
        tuple(str(trial.number) for trial in result.trials),
        {} if result.best is None else {"best": result.best},
    )
    return Drawing(numbers, _draw)


def _setting(trial: Trial, name: str) -> Any:
    """Return a setting, a null of the recipe as a word; None where a trial does not set it."""
    value = trial.settings.get(name, "")
    return setting_in_words(None) if value is None else value if name in trial.settings else None


def scale_of(values: Sequence[Any]) -> Scale:
    """Lay out the values of a setting: words apart from each other, figures by their size.

    Args:
        values: Of each trial; None where it has none.
    """
    there = [value for value in values if value is not None]
    if are_numbers(there):
        return _scale_of_numbers(values, there)
    words = sorted({setting_in_words(value) for value in there})
    place = {word: (row + 0.5) / len(words) for row, word in enumerate(words)}
    places = [math.nan if value is None else place[setting_in_words(value)] for value in values]
    return Scale(places, _apart([(place[word], word) for word in words]))


def _scale_of_numbers(values: Sequence[Any], there: Sequence[float]) -> Scale:
    low, high = min(there), max(there)
    bend = math.log10 if low > 0 and high / low >= _LEAST_SPAN else float
    start, span = bend(low), bend(high) - bend(low)

    def place(value: float) -> float:
        return (bend(value) - start) / span if span else 0.5

    places = [math.nan if value is None else place(value) for value in values]
    shown = sorted(set(there))
    if len(shown) > _FEW:
        shown = [low, *_between(low, high, bend), high]
    ticks = [(place(value), setting_in_words(float(f"{value:.3g}"))) for value in shown]
    return Scale(places, _apart(ticks))


def _between(low: float, high: float, bend: Callable[[float], float]) -> list[float]:
    if bend is float:
        return [float(value) for value in np.linspace(low, high, 5)[1:-1]]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (factor * 10.0**power for power in powers for factor in (1, 3))
    return [step for step in steps if low < step < high]


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out ticks whose words would overlap; the two ends stay."""
    kept = list(ticks[:1])
    for place, words in ticks[1:-1]:
        if min(place - kept[-1][0], ticks[-1][0] - place) >= _LEAST_GAP:
            kept.append((place, words))
    return kept + list(ticks[-1:] if len(ticks) > 1 else [])


def _draw(numbers: Numbers) -> Figure:
    *settings, last = (part.columns["setting"] for part in numbers.series)
    count = len(numbers.series)
    figure, axes = style.panel(numbers.title, width=max(7.0, 1.45 * count), height=4.2)
    is_percent = next(iter(numbers.units.values())) == SHARE
    lowest = lowest_shown([value for value in last if value is not None])
    percent = 100 if is_percent else 1
    values = [None if value is None else percent * max(value, lowest) for value in last]
    scales = [scale_of(column) for column in (*settings, values)]
    artists = _draw_lines(axes, np.array([scale.places for scale in scales]), numbers)
    for place, scale in enumerate(scales):
        _draw_scale(axes, place, scale)
    names = [_in_two_lines(part.name) for part in numbers.series]
    names[-1] += " (%)" if is_percent else ""
    axes.set_xticks(range(count), names, parse_math=False)
    axes.set(xlim=(-0.1, count - 0.45), ylim=(-0.06, 1.06), yticks=[])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    style.legend_below(figure, list(artists.values()), list(artists), 3)
    return figure


def _draw_lines(axes: Axes, places: NDArray[np.float64], numbers: Numbers) -> dict[str, Any]:
    """Draw a line a trial, the better the stronger and the later.

    Args:
        axes: Where.
        places: (scales, trials); the last scale holds the values.
        numbers: Of the figure.

    Returns:
        One line of each kind, by what it means.
    """
    values = np.array([math.nan if v is None else v for v in numbers.series[-1].columns["setting"]])
    finished = [int(trial) for trial in np.argsort(values) if np.isfinite(values[trial])]
    strength = {trial: (place + 1) / len(finished) for place, trial in enumerate(finished)}
    fading = max(2.0, len(finished) / 15)  # of many trials, too, only the best few stand out
    artists: dict[str, Any] = {}
    look: dict[str, Any]
    for trial in (*(set(range(len(values))) - strength.keys()), *finished):
        share = strength.get(trial)
        if int(numbers.categories[trial]) == numbers.marks.get("best"):
            name, look = "winner", {"color": style.VERMILION, "linewidth": 2.6}
        elif share is None:
            name, look = "not finished", {"color": style.QUIET, "linestyle": ":", "alpha": 0.45}
        else:
            name = "finished: the stronger, the better"
            look = {"color": style.BLUE, "alpha": 0.08 + 0.8 * share**fading}
        (artists[name],) = axes.plot(places[:, trial], **{"linewidth": 1 + (share or 0), **look})
    return artists


def _draw_scale(axes: Axes, place: int, scale: Scale) -> None:
    """Draw an axis with its ticks; their words stand on the ground, above the lines."""
    axes.plot([place, place], [0, 1], color=style.QUIET, linewidth=1.2, zorder=5)
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
    for height, text in scale.ticks:
        axes.plot(place, height, marker="_", color=style.QUIET, markersize=6, zorder=5)
        words = axes.text(place + 0.06, height, style.tick(text, 18), parse_math=False, zorder=6)
        words.set(verticalalignment="center", fontsize=8.5, color=style.INK, bbox=ground)


def _in_two_lines(name: str) -> str:
    """Write the section of a field above its last word."""
    return "\n".join(style.tick(part, 18) for part in name.rpartition(".")[::2] if part)
