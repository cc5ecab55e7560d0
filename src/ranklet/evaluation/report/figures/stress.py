"""Accuracy and confidence of a classifier under shifts of its texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series, with_bounds
from ranklet.evaluation.stress import Stress, StressPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BESIDE = 4  # panels in a row


def stress_figures(stress: Stress) -> dict[str, Drawing]:
    """Show accuracy and mean confidence over the strength of each shift, under the name `stress`.

    The clean texts are strength 0 of every shift.
    """
    by_kind = {
        kind: [point for point in stress.points if point.kind == kind] for kind in stress.kinds
    }
    units = {
        **dict.fromkeys(("accuracy", "low", "high", "confidence", "clean"), SHARE),
        "strength": "0 to 1",
    }
    series = tuple(Series(kind, _columns(stress, points)) for kind, points in by_kind.items())
    title = f"{stress.accuracy_name.capitalize()} under shifts of the texts"
    marks = {"clean": stress.accuracy.value}
    return {"stress": Drawing(Numbers(title, units, series, marks=marks), _draw)}


def _columns(stress: Stress, points: list[StressPoint]) -> dict[str, Sequence[Any]]:
    accuracy = [stress.accuracy, *(point.accuracy for point in points)]
    sureness = [stress.sureness, *(point.sureness for point in points)]
    confidence = [entry.confidence for entry in sureness if entry is not None]
    return {
        "strength": [0.0, *(point.strength for point in points)],
        **with_bounds("accuracy", accuracy),
        **({"confidence": confidence} if confidence else {}),
    }


def _draw(numbers: Numbers) -> Figure:
    beside = min(_MOST_BESIDE, len(numbers.series))
    below = math.ceil(len(numbers.series) / beside)
    figure = style.empty_figure(width=max(4.2, 2.4 * beside), height=0.9 + 2.2 * below)
    grid = figure.subplots(below, beside, sharey=True, squeeze=False).ravel().tolist()
    lowest = min(value for series in numbers.series for value in _shown(series))
    artists: list[Any] = []
    for series, axes in zip(numbers.series, grid, strict=False):
        artists = _draw_kind(axes, series, numbers.marks["clean"])
        axes.set_ylim(max(0.0, lowest - 0.03), 1.005)
    for axes in grid[len(numbers.series) :]:
        axes.set_visible(False)
    names = ("right (%)", "right of the clean texts", "mean confidence (%)")
    style.legend_below(figure, artists, names[: len(artists)], 3)
    return figure


def _shown(series: Series) -> list[float]:
    return [*series.columns["low"], *series.columns.get("confidence", ())]


def _draw_kind(axes: Axes, series: Series, clean: float) -> list[Any]:
    """Draw one shift; return what the legend explains."""
    style.dress(axes, series.name.replace("_", " "))
    columns = series.columns
    strengths = columns["strength"]
    style.band(axes, strengths, columns["low"], columns["high"])
    artists = style.line(axes, strengths, columns["accuracy"], marker="o", markersize=3.5)
    artists.append(axes.axhline(clean, color=style.QUIET, linewidth=0.9, linestyle=":"))
    if "confidence" in columns:
        look = {"color": style.VERMILION, "linestyle": (0, (4, 1.5))}
        artists += style.line(axes, strengths, columns["confidence"], **look)
    axes.set_xlim(0, 1.02)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel("strength (%)", color=style.QUIET, fontsize=9)
    style.in_percent(axes.xaxis, axes.yaxis)
    return artists
