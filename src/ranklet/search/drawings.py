"""The figures of a search: how it went, and what accuracy costs.

Only trials that were trained to their end are comparable, so a line over trials is one over those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, get_args

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series
from ranklet.search.belief import BestAfter
from ranklet.search.parallel import parallel_coordinates
from ranklet.search.trial import SearchResult, Trial, TrialState
from ranklet.search.values import (
    LEAST_FOR_IMPORTANCE,
    finished_trials,
    finite_value,
    lowest_shown,
    metric_in_words,
    setting_names,
    unit_of_values,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "finished": {"marker": "o", "color": style.BLUE},
    "paused": {"marker": "s", "color": style.GREEN, "markerfacecolor": "white"},
    "diverged": {"marker": "v", "color": style.PURPLE},
    "failed": {"marker": "X", "color": style.INK},
    "over budget": {"marker": "d", "color": style.QUIET, "markerfacecolor": "white"},
    "waiting": {"marker": "+", "color": style.QUIET},
}
_WINNER: Mapping[str, Any] = {
    "color": style.VERMILION,
    "marker": "D",
    "markersize": 7,
    "linestyle": "",
}
_FRONTIER_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "finished": {"color": style.BLUE, "marker": "o", "markersize": 4, "alpha": 0.5},
    "frontier": {"color": style.BLUE, "linestyle": "-", "drawstyle": "steps-post"},
    "winner": _WINNER,
    "smallest not worse": {
        "color": style.GREEN,
        "marker": "o",
        "markersize": 13,
        "markeredgewidth": 2,
        "markerfacecolor": "none",
    },
}


def search_figures(
    result: SearchResult, curve: BestAfter | None, importance: Mapping[str, float] | None
) -> dict[str, Drawing]:
    """Prepare every figure that there are numbers for, by name.

    Args:
        result: What the search gave.
        curve: The best after k trials, where it is known.
        importance: Of the settings, by dotted field; drawn from 50 finished trials on.
    """
    finished = finished_trials(result.trials)
    drawings: dict[str, Drawing] = {}
    if any(finite_value(trial) is not None for trial in result.trials):
        drawings["history"] = _history(result)
    if curve is not None and curve.counts:
        drawings["best_after"] = _best_after(result, curve)
    if len(result.rungs) > 1 and result.trials:
        drawings["rungs"] = _rungs(result)
    if len(finished) > 1 and setting_names(result.trials):
        drawings["settings"] = parallel_coordinates(result)
    if importance and len(finished) >= LEAST_FOR_IMPORTANCE:
        drawings["importance"] = _importance(importance, len(finished))
    if result.frontier:
        drawings["frontier"] = _frontier(result)
    return drawings


def _history(result: SearchResult) -> Drawing:
    metric = metric_in_words(result.metric)
    finished = finished_trials(result.trials)
    best = list(accumulate((trial.values[-1] for trial in finished), max))
    columns: dict[str, Sequence[Any]] = {"trial": [t.number for t in finished], metric: best}
    lead = Series("best so far", columns)
    numbers = Numbers(
        f"Validation {metric} by trial",
        {**unit_of_values(result), "trial": "number"},
        (lead, *_by_state(result.trials, metric, finite_value)),
        marks={} if result.best is None else {"winner": result.best},
    )
    return Drawing(numbers, _draw_history)


def _best_after(result: SearchResult, curve: BestAfter) -> Drawing:
    columns: dict[str, Sequence[Any]] = {
        "trials": list(curve.counts),
        metric_in_words(result.metric): list(curve.expected),
        "low": list(curve.low),
        "high": list(curve.high),
    }
    units = {**unit_of_values(result), "trials": "trials"}
    numbers = Numbers("Best after so many trials", units, (Series("expected", columns),))
    return Drawing(numbers, _draw_best_after)


def _rungs(result: SearchResult) -> Drawing:
    series = _by_state(result.trials, "rungs", lambda trial: len(trial.values))
    marks = {
        f"{100 * share:.3g} %": sum(len(trial.values) > rung for trial in result.trials)
        for rung, share in enumerate(result.rungs)
    }
    units = {"rungs": "reached", "trial": "number"}
    return Drawing(Numbers("How far each trial got", units, series, marks=marks), _draw_rungs)


def _by_state(
    trials: Sequence[Trial], column: str, read: Callable[[Trial], float | None]
) -> tuple[Series, ...]:
    """Read something of every trial; a series is a state, the declared order theirs."""
    parts = {state: [t for t in trials if t.state == state] for state in get_args(TrialState)}
    return tuple(
        Series(state, {"trial": [t.number for t in alike], column: [read(t) for t in alike]})
        for state, alike in parts.items()
        if alike
    )


def _importance(importance: Mapping[str, float], finished: int) -> Drawing:
    names = tuple(sorted(importance, key=lambda name: -importance[name]))
    columns = {"importance": [importance[name] for name in names]}
    title = f"Importance, from {finished} finished trials"
    numbers = Numbers(title, {"importance": "as given"}, (Series("settings", columns),), names)
    return Drawing(numbers, _draw_importance)


def _frontier(result: SearchResult) -> Drawing:
    metric = metric_in_words(result.metric)
    numbers_of = {
        "finished": [trial.number for trial in finished_trials(result.trials)],
        "frontier": result.frontier,
        "winner": [result.best],
        "smallest not worse": [result.smallest],
    }
    trials = {trial.number: trial for trial in result.trials}
    series = []
    for name, numbers in numbers_of.items():
        shown = [trials[number] for number in numbers if number is not None]
        sizes, values = [t.parameters for t in shown], [t.value for t in shown]
        series.append(Series(name, {"parameters": sizes, metric: values}))
    units = {**unit_of_values(result), "parameters": "parameters"}
    title, marks = f"Validation {metric} against parameters", {"budget": result.budget}
    return Drawing(Numbers(title, units, tuple(series), marks=marks), _draw_frontier)


def _panel(numbers: Numbers, xlabel: str) -> tuple[Figure, Axes, str]:
    """Make a panel whose vertical axis holds values; return the name of their column as well."""
    metric, unit = next(iter(numbers.units.items()))
    ylabel = f"{metric} (%)" if unit == SHARE else metric
    figure, axes = style.panel(numbers.title, ylabel, xlabel, height=3.4)
    if unit == SHARE:
        style.in_percent(axes.yaxis)
    axes.locator_params(axis="x", nbins=6, integer=True)
    return figure, axes, metric


def _span(values: Sequence[float]) -> tuple[float, float, float]:
    """Return between which values an axis runs, and what is left free beyond them."""
    low, high = lowest_shown(values), max(values)
    return low, high, 0.09 * (high - low) or 0.01


def _draw_history(numbers: Numbers) -> Figure:
    figure, axes, metric = _panel(numbers, "trial")
    lead, *states = numbers.series
    values = [value for part in states for value in part.columns[metric] if value is not None]
    low, high, margin = _span(values)
    edge = low - margin
    artists: list[Any] = style.line(axes, *lead.columns.values(), drawstyle="steps-post")
    for part in states:
        shown = [edge if v is None or v < low else v for v in part.columns[metric]]
        look = {"linestyle": "", "markersize": 5, **_LOOKS[part.name]}
        artists += axes.plot(part.columns["trial"], shown, **look)
        if edge in shown:
            axes.axhline(low - margin / 2, color=style.QUIET, linewidth=0.8, linestyle=":")
    for trial in numbers.marks.values():
        value = lead.columns[metric][lead.columns["trial"].index(trial)]
        artists += axes.plot(trial, value, **_WINNER)
    axes.set_ylim(edge - margin / 2, high + margin)
    names = [*(part.name for part in numbers.series), *numbers.marks]
    style.legend_below(figure, artists, names, 4)
    return figure


def _draw_best_after(numbers: Numbers) -> Figure:
    figure, axes, metric = _panel(numbers, "trials")
    columns = numbers.series[0].columns
    counts = columns["trials"]
    style.band(axes, counts, columns["low"], columns["high"])
    style.line(axes, counts, columns[metric], marker="o" if len(counts) == 1 else "")
    return figure


def _draw_rungs(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "of the training (trials)", "trial", height=3.4)
    last = max(number for part in numbers.series for number in part.columns["trial"])
    width = min(5.0, 190 / (last + 1))  # points; the panel has about 250
    artists: list[Any] = []
    for part in numbers.series:
        trials, reached = part.columns["trial"], part.columns["rungs"]
        look = {"linestyle": "", "markersize": max(3.0, min(6.0, width + 1)), **_LOOKS[part.name]}
        axes.vlines(trials, 0, reached, color=look["color"], linewidth=width, alpha=0.4)
        artists += axes.plot(trials, reached, clip_on=False, zorder=3, **look)
    rungs = [f"{share} ({count})" for share, count in numbers.marks.items()]
    axes.set_yticks(range(len(rungs) + 1), ["start", *rungs])
    axes.set(xlim=(-1, last + 1), ylim=(-0.15, len(rungs) + 0.15))
    axes.grid(visible=False, axis="x")
    axes.locator_params(axis="x", nbins=6, integer=True)
    style.legend_below(figure, artists, [part.name for part in numbers.series], 4)
    return figure


def _draw_importance(numbers: Numbers) -> Figure:
    shares = numbers.series[0].columns["importance"]
    height = 1.0 + 0.32 * len(shares)
    figure, axes = style.panel(numbers.title, xlabel="importance", height=height)
    bars = axes.barh(range(len(shares)), shares, 0.66, color=style.BLUE)
    axes.bar_label(bars, fmt="{:.2f}", padding=3, color=style.INK, fontsize=9)
    style.name_bars(axes, numbers.categories)
    axes.set_xlim(0, 1.15 * max(shares) or 1)
    return figure


def _draw_frontier(numbers: Numbers) -> Figure:
    figure, axes, metric = _panel(numbers, "parameters")
    shown = [part for part in numbers.series if part.columns["parameters"]]
    artists: list[Any] = []
    for part in shown:
        look = {"linestyle": "", **_FRONTIER_LOOKS[part.name]}
        artists += axes.plot(part.columns["parameters"], part.columns[metric], **look)
    low, high, margin = _span(shown[0].columns[metric])
    axes.set_ylim(low - margin, high + margin)
    artists.append(axes.axvline(numbers.marks["budget"], color=style.INK, lw=1, linestyle="--"))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    style.legend_below(figure, artists, [*(part.name for part in shown), "budget"], 3)
    return figure
