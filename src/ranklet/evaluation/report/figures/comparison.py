"""Figures of several runs side by side: differences, curves over one another, agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.comparison.verdicts import Comparison
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series, with_bounds
from ranklet.evaluation.report.figures.training import (
    Record,
    along,
    means_of,
    neighbours,
    points_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 60  # lines over one another need fewer than a line of its own
_LEAST_COVERAGE = 0.2  # of fewer rows an accuracy says little
_MOST_TILES = 12


@dataclass(frozen=True, eq=False)
class RunCurves:
    """What is drawn of one run.

    Attributes:
        entry: Name of the entry of the comparison that it belongs to; runs of one share a colour.
        name: Its own name.
        records: Rows of its `metrics.jsonl`.
        confidence: (n,) probability of each predicted label; None where a text may have several.
        right: (n,) whether it is the true one.
    """

    entry: str
    name: str
    records: Sequence[Record]
    confidence: NDArray[np.floating] | None
    right: NDArray[np.bool_]


def comparison_figures(comparison: Comparison, curves: Sequence[RunCurves]) -> dict[str, Drawing]:
    """Prepare every figure that there are numbers for, by name."""
    drawings = {
        "validation_accuracy": _curve(curves, "validation", "accuracy", "Validation accuracy"),
        "validation_loss": _curve(curves, "validation", "loss", "Validation loss"),
        "training_loss": _curve(curves, "train", "loss", "Training loss"),
        "coverage": _coverage(curves, comparison.split),
    }
    drawable = {name: drawing for name, drawing in drawings.items() if drawing.numbers.series}
    figures = {"differences": _differences(comparison), **drawable}
    if len(comparison.runs) <= _MOST_TILES:
        figures["agreement"] = _agreement(comparison)
    return figures


def _differences(comparison: Comparison) -> Drawing:
    pairs = comparison.pairs
    columns: dict[str, Sequence[Any]] = {
        **with_bounds("difference", [pair.difference.accuracy for pair in pairs]),
        "verdict": [pair.accuracy_verdict for pair in pairs],
    }
    units = dict.fromkeys(("difference", "low", "high"), "difference of two shares, -1 to 1")
    names = tuple(
        f"{style.tick(pair.first)}\n\N{MINUS SIGN} {style.tick(pair.second)}" for pair in pairs
    )
    title = f"Differences of {comparison.accuracy_name} on {comparison.split}"
    return Drawing(Numbers(title, units, (Series("pairs", columns),), names), _draw_differences)


def _curve(curves: Sequence[RunCurves], kind: str, field: str, title: str) -> Drawing:
    series = []
    for run in curves:
        points = points_of(run.records, kind, field)
        parts = neighbours(len(points[field]), _POINTS)
        if parts:
            shown = {name: points[name] for name in ("epoch", field)}
            facts = {"entry": _place(curves, run)}
            series.append(Series(run.name, means_of(shown, parts), facts))
    units = {"epoch": "epochs", field: "nats" if field == "loss" else SHARE}
    return Drawing(Numbers(title, units, tuple(series), _entries(curves)), _draw_curve)


def _coverage(curves: Sequence[RunCurves], split: str) -> Drawing:
    """Show the accuracy of the surest rows; rows of equal confidence in the order of the data."""
    series = []
    for run in curves:
        if run.confidence is None:
            continue
        order = np.argsort(-run.confidence.astype(np.float64), kind="stable")
        rows = len(order)
        shares = run.right[order].cumsum() / np.arange(1, rows + 1)
        least = max(1, math.ceil(_LEAST_COVERAGE * rows))
        counts = np.unique(np.linspace(least, rows, _POINTS).round().astype(int))
        columns = {"coverage": (counts / rows).tolist(), "accuracy": shares[counts - 1].tolist()}
        series.append(Series(run.name, columns, {"entry": _place(curves, run)}))
    units = dict.fromkeys(("coverage", "accuracy"), SHARE)
    title = f"Accuracy of the surest rows, {split}"
    return Drawing(Numbers(title, units, tuple(series), _entries(curves)), _draw_coverage)


def _agreement(comparison: Comparison) -> Drawing:
    series = tuple(
        Series(name, {"agreement": [math.nan if value is None else value for value in row]})
        for name, row in zip(comparison.runs, comparison.agreement, strict=True)
    )
    units = {"agreement": "share of rows answered alike"}
    return Drawing(Numbers("Rows answered alike (%)", units, series, comparison.runs), _draw_tiles)


def _entries(curves: Sequence[RunCurves]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run.entry for run in curves))


def _place(curves: Sequence[RunCurves], run: RunCurves) -> int:
    return _entries(curves).index(run.entry)


def _draw_differences(numbers: Numbers) -> Figure:
    columns = numbers.series[0].columns
    xlabel, height = "percentage points, with 95 % interval", 1.1 + 0.5 * len(numbers.categories)
    figure, axes = style.panel(numbers.title, xlabel=xlabel, height=height)
    axes.axvline(0, color=style.INK, linewidth=1)
    for row, verdict in enumerate(columns["verdict"]):
        colour = style.BLUE if verdict == "real" else style.QUIET
        low, value, high = (100 * columns[name][row] for name in ("low", "difference", "high"))
        axes.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        filled = colour if verdict == "real" else "white"
        axes.plot(value, row, marker="o", markersize=7, color=colour, markerfacecolor=filled)
    style.name_bars(axes, numbers.categories)
    axes.set_yticklabels(numbers.categories, parse_math=False)
    return figure


def _draw_curve(numbers: Numbers) -> Figure:
    field = next(name for name in numbers.units if name != "epoch")
    figure, axes = style.panel(numbers.title, "loss (nats)" if field == "loss" else f"{field} (%)")
    lines = _lines(axes, numbers, "epoch", field)
    along(axes, "epoch", [epoch for series in numbers.series for epoch in series.columns["epoch"]])
    if field == "accuracy":
        style.in_percent(axes.yaxis)
    _legend(figure, lines, numbers.categories)
    return figure


def _draw_coverage(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "accuracy (%)", "rows answered, surest first (%)")
    lines = _lines(axes, numbers, "coverage", "accuracy")
    axes.set_xlim(1, _LEAST_COVERAGE)
    style.in_percent(axes.xaxis, axes.yaxis)
    _legend(figure, lines, numbers.categories)
    return figure


def _draw_tiles(numbers: Numbers) -> Figure:
    shares = np.array([series.columns["agreement"] for series in numbers.series])
    runs = len(shares)
    side = max(2.6, 1.7 + 0.55 * runs)
    figure, axes = style.panel(numbers.title, width=side + 0.9, height=side)
    different = shares[~np.eye(runs, dtype=bool)]
    low = np.nanmin(different) if np.isfinite(different).any() else 0.0
    # The shade runs over what there is, since most runs agree on most rows.
    depth = np.nan_to_num((shares - low) / max(1 - low, 1e-9))
    blue = np.broadcast_to(np.array([8, 81, 156]) / 255, (runs, runs, 3))
    colours = np.concatenate([blue, (0.08 + 0.72 * depth)[..., None]], axis=-1)
    style.tiles(axes, colours)
    texts = [["–" if math.isnan(x) else f"{100 * x:.1f}" for x in row] for row in shares]  # noqa: RUF001
    style.write_tiles(axes, texts, depth > 0.6, size=9)
    style.name_tiles(axes, numbers.categories)
    return figure


def _lines(axes: Axes, numbers: Numbers, across: str, field: str) -> Mapping[int, object]:
    """Draw a line a run; return one line of each entry, by its place."""
    shown: dict[int, object] = {}
    places = [int(series.facts["entry"]) for series in numbers.series]
    for place, series in zip(places, numbers.series, strict=True):
        several = places.count(place) > 1
        look = style.line_style(place) | ({"linewidth": 1.1, "alpha": 0.7} if several else {})
        values = series.columns[field]
        marker = "o" if len(values) <= _POINTS / 3 else ""
        places_of_run = series.columns[across]
        (shown[place],) = axes.plot(places_of_run, values, marker=marker, markersize=3.5, **look)
    return shown


def _legend(figure: Figure, lines: Mapping[int, object], entries: Sequence[str]) -> None:
    places = sorted(lines)
    columns = 2 if max(len(entries[place]) for place in places) > 14 else 3
    style.legend_below(
        figure,
        [lines[place] for place in places],
        [style.tick(entries[place]) for place in places],
        columns,
    )
