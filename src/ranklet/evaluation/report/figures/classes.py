"""Bars with intervals: scores by class, and accuracy on parts of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series, with_bounds
from ranklet.evaluation.result import SCORES, ClassMetrics
from ranklet.evaluation.slices import Slice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES = 25
_LONGEST_PART = 36


def class_bars(classes: Sequence[ClassMetrics]) -> Drawing:
    """Show precision, recall and F1 of every class with their 95 % intervals.

    They stand top to bottom; of more than 25 those with the lowest F1, and the title says so.
    """
    shown, title = list(classes), "Scores by class"
    if len(shown) > _MOST_CLASSES:
        shown = sorted(shown, key=lambda entry: entry.f1.value)[:_MOST_CLASSES]
        title = f"Scores by class: the {len(shown)} lowest of {len(classes)}"
    series = tuple(
        Series(name, with_bounds("value", [getattr(entry, score) for entry in shown]))
        for score, name in zip(SCORES, ("precision", "recall", "F1"), strict=True)
    )
    units = dict.fromkeys(("value", "low", "high"), SHARE)
    labels = tuple(entry.label for entry in shown)
    return Drawing(Numbers(title, units, series, labels), _draw_classes)


def accuracy_by_slice(slices: Sequence[Slice], overall: Metric) -> Drawing:
    """Show the accuracy on parts of the rows with 95 % intervals, beside that on all of them.

    Parts by class are left out: their accuracy is the recall of the class.

    Args:
        slices: Those of one kind behind each other.
        overall: Accuracy on all rows.
    """
    series = []
    for by, group in groupby(slices, key=lambda part: part.by):
        parts = list(group)
        columns: dict[str, Sequence[Any]] = {
            "part": [part.value for part in parts],
            "rows": [part.rows for part in parts],
            **with_bounds("value", [part.accuracy for part in parts]),
        }
        if by != "class":
            series.append(Series(by, columns))
    units = {**dict.fromkeys(("value", "low", "high", "accuracy"), SHARE), "rows": "rows"}
    marks = {"accuracy": overall.value}
    return Drawing(Numbers("Accuracy by part", units, tuple(series), marks=marks), _draw_slices)


def _draw_classes(numbers: Numbers) -> Figure:
    classes = len(numbers.categories)
    figure, axes = style.panel(numbers.title, xlabel="%", height=1.1 + 0.52 * classes)
    artists = [
        axes.barh(
            np.arange(classes) + (place - 1) * 0.26,
            series.columns["value"],
            height=0.24,
            color=colour,
            xerr=style.whiskers(series.columns),
            error_kw={"ecolor": style.INK, "elinewidth": 1, "capsize": 2},
        )
        for place, (series, colour) in enumerate(zip(numbers.series, style.COLOURS, strict=False))
    ]
    style.name_bars(axes, numbers.categories)
    axes.set_xlim(0, 1)
    style.in_percent(axes.xaxis)
    style.legend_below(figure, artists, [series.name for series in numbers.series], 3)
    return figure


def _draw_slices(numbers: Numbers) -> Figure:
    names: list[str] = []
    counts = [rows for series in numbers.series for rows in series.columns["rows"]]
    height = 1.1 + 0.27 * len(counts)
    figure, axes = style.panel(numbers.title, xlabel="accuracy (%)", width=5.6, height=height)
    for place, series in enumerate(numbers.series):
        values = series.columns["value"]
        axes.errorbar(
            values,
            np.arange(len(values)) + len(names),
            xerr=style.whiskers(series.columns),
            color=style.COLOURS[place % len(style.COLOURS)],
            fmt="osD^vP"[place % 6],
            markersize=5,
            elinewidth=1.5,
            capsize=2.5,
        )
        names += [f"{series.name}: {part}" for part in series.columns["part"]]
    style.name_bars(axes, names, _LONGEST_PART)
    axes.axvline(numbers.marks["accuracy"], color=style.QUIET, linewidth=0.8, linestyle=":")
    style.in_percent(axes.xaxis)
    for at, text in [(-0.9, "rows"), *enumerate(f"{rows:,}" for rows in counts)]:
        axes.annotate(
            text,
            (1.03, at),
            xycoords=("axes fraction", "data"),
            va="center",
            color=style.QUIET,
            fontsize=8.5,
            annotation_clip=False,
        )
    return figure
