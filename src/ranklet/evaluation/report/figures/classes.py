"""Bars with intervals: scores by class, and accuracy on parts of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    QUIET,
    VERMILION,
    Drawing,
    Numbers,
    Series,
    in_percent,
    legend_below,
    name_bars,
    panel,
)
from ranklet.evaluation.result import SCORES, ClassMetrics
from ranklet.evaluation.slices import Slice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES = 25
_LONGEST_PART = 36
_SHARE = "share, 0 to 1"


def class_bars(classes: Sequence[ClassMetrics]) -> Drawing:
    """Show precision, recall and F1 of every class with their 95 % intervals.

    Of more than 25 classes those with the lowest F1 are shown, and the title says so.

    Args:
        classes: Scores of the classes, top to bottom.
    """
    shown, title = list(classes), "Scores by class"
    if len(shown) > _MOST_CLASSES:
        shown = sorted(shown, key=lambda entry: entry.f1.value)[:_MOST_CLASSES]
        title = f"Scores by class: the {len(shown)} lowest of {len(classes)}"
    series = tuple(
        Series({"f1": "F1"}.get(score, score), _metrics([getattr(entry, score) for entry in shown]))
        for score in SCORES
    )
    units = dict.fromkeys(("value", "low", "high"), _SHARE)
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
            **_metrics([part.accuracy for part in parts]),
        }
        if by != "class":
            series.append(Series(by, columns))
    units = {**dict.fromkeys(("value", "low", "high", "accuracy"), _SHARE), "rows": "rows"}
    marks = {"accuracy": overall.value}
    return Drawing(Numbers("Accuracy by part", units, tuple(series), marks=marks), _draw_slices)


def _metrics(metrics: Sequence[Metric]) -> dict[str, list[float]]:
    return {
        "value": [metric.value for metric in metrics],
        "low": [metric.interval[0] for metric in metrics],
        "high": [metric.interval[1] for metric in metrics],
    }


def _draw_classes(numbers: Numbers) -> Figure:
    classes = len(numbers.categories)
    figure, axes = panel(numbers.title, "", height=1.1 + 0.52 * classes)
    artists = []
    for place, (series, colour) in enumerate(
        zip(numbers.series, (BLUE, VERMILION, GREEN), strict=True)
    ):
        values, low, high = (np.array(series.columns[name]) for name in ("value", "low", "high"))
        artists.append(
            axes.barh(
                np.arange(classes) + (place - 1) * 0.26,
                values,
                height=0.24,
                color=colour,
                # A percentile interval may miss the value by a hair; whiskers cannot be negative.
                xerr=np.maximum([values - low, high - values], 0),
                error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
            )
        )
    name_bars(axes, numbers.categories)
    axes.set_xlim(0, 1)
    in_percent(axes.xaxis)
    axes.set_xlabel("%", color=QUIET)
    legend_below(figure, artists, [series.name for series in numbers.series], 3)
    return figure


def _draw_slices(numbers: Numbers) -> Figure:
    names: list[str] = []
    counts = [rows for series in numbers.series for rows in series.columns["rows"]]
    figure, axes = panel(numbers.title, "", width=5.6, height=1.1 + 0.27 * len(counts))
    for place, series in enumerate(numbers.series):
        values, low, high = (np.array(series.columns[name]) for name in ("value", "low", "high"))
        rows = np.arange(len(values)) + len(names)
        axes.errorbar(
            values,
            rows,
            xerr=np.maximum([values - low, high - values], 0),
            color=COLOURS[place % len(COLOURS)],
            fmt="osD^vP"[place % 6],
            markersize=5,
            elinewidth=1.5,
            capsize=2.5,
        )
        names += [f"{series.name}: {part}" for part in series.columns["part"]]
    name_bars(axes, names, _LONGEST_PART)
    axes.axvline(numbers.marks["accuracy"], color=QUIET, linewidth=0.8, linestyle=":")
    in_percent(axes.xaxis)
    axes.set_xlabel("accuracy (%)", color=QUIET)
    for line, text in [(-0.9, "rows"), *enumerate(f"{rows:,}" for rows in counts)]:
        axes.annotate(
            text,
            (1.03, line),
            xycoords=("axes fraction", "data"),
            va="center",
            color=QUIET,
            fontsize=8.5,
            annotation_clip=False,
        )
    return figure
