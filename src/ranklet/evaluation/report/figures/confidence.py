"""What the confidence of a classifier is worth, where a text has one label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ranklet.evaluation.calibration import Calibration, ReliabilityBin
from ranklet.evaluation.curves import ConfidenceBin
from ranklet.evaluation.report.figures.drawing import (
    BLUE,
    ORANGE,
    QUIET,
    VERMILION,
    Drawing,
    Numbers,
    Series,
    in_percent,
    legend_below,
    panel,
)
from ranklet.evaluation.selective import Coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHARE = "share, 0 to 1"


def reliability(calibration: Calibration) -> Drawing:
    """Show accuracy over confidence by bins, before and after the temperature if that is known."""
    series = [Series("as given", _bins(calibration.reliability), {"error": calibration.error})]
    if calibration.temperature != 1.0 and calibration.reliability_before:
        before = _bins(calibration.reliability_before)
        series.append(Series("at temperature 1", before, {"error": calibration.error_before}))
    units = {
        **dict.fromkeys(("confidence", "accuracy", "low", "high", "error"), _SHARE),
        "rows": "rows",
        "temperature": "what logits are divided by",
    }
    marks = {"temperature": calibration.temperature}
    return Drawing(Numbers("Reliability", units, tuple(series), marks=marks), _draw_reliability)


def confidence(bins: Sequence[ConfidenceBin]) -> Drawing:
    """Show how sure right and wrong answers were; empty bins at the low end are left out."""
    filled = [place for place, entry in enumerate(bins) if entry.right or entry.wrong]
    shown = bins[filled[0] :] if filled else bins
    edges = {"low": [entry.low for entry in shown], "high": [entry.high for entry in shown]}
    series = (
        Series("right", {**edges, "rows": [entry.right for entry in shown]}),
        Series("wrong", {**edges, "rows": [entry.wrong for entry in shown]}),
    )
    units = {"low": _SHARE, "high": _SHARE, "rows": "rows"}
    return Drawing(Numbers("Confidence of right and wrong", units, series), _draw_confidence)


def coverage(covered: Sequence[Coverage]) -> Drawing:
    """Show the accuracy where only the surest rows are answered, with its 95 % interval."""
    answered = [(point, point.accuracy) for point in covered if point.accuracy is not None]
    columns: dict[str, list[float]] = {
        "coverage": [point.coverage for point, _ in answered],
        "accuracy": [metric.value for _, metric in answered],
        "low": [metric.interval[0] for _, metric in answered],
        "high": [metric.interval[1] for _, metric in answered],
        "threshold": [point.threshold for point, _ in answered],
        "rows": [point.rows for point, _ in answered],
    }
    units = {**dict.fromkeys(columns, _SHARE), "rows": "rows"}
    series = (Series("surest rows", columns),)
    return Drawing(Numbers("Accuracy of the surest rows", units, series), _draw_coverage)


def _bins(bins: Sequence[ReliabilityBin]) -> dict[str, list[float]]:
    return {
        "confidence": [entry.confidence for entry in bins],
        "accuracy": [entry.accuracy.value for entry in bins],
        "low": [entry.accuracy.interval[0] for entry in bins],
        "high": [entry.accuracy.interval[1] for entry in bins],
        "rows": [entry.rows for entry in bins],
    }


def _draw_reliability(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "accuracy (%)", height=4.4)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", zorder=1)
    artists: list[Any] = []
    # What the classifier says now is drawn last, over what it would have said.
    for series, colour, marker in reversed(
        list(zip(numbers.series, (BLUE, ORANGE), "os", strict=False))
    ):
        columns = series.columns
        axes.vlines(
            columns["confidence"], columns["low"], columns["high"], color=colour, alpha=0.35
        )
        line = axes.plot(
            columns["confidence"],
            columns["accuracy"],
            color=colour,
            marker=marker,
            markersize=4.5,
            linewidth=1.5,
            linestyle="-" if colour == BLUE else (0, (4, 1.5)),
        )
        artists[:0] = line
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_xlabel("confidence (%)", color=QUIET)
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    names = [
        f"{series.name}: error {100 * series.facts['error']:.2f} %" for series in numbers.series
    ]
    if len(names) > 1:
        names[0] = f"at temperature {numbers.marks['temperature']:.2f}: " + names[0].split(": ")[1]
    legend_below(figure, artists, names, 1)
    return figure


def _draw_confidence(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "rows", height=3.4)
    bars = []
    bottoms = [0] * len(numbers.series[0].columns["low"])
    # Wrong ones stand on the axis, where few can be seen beside many.
    for series, colour in zip(reversed(numbers.series), (VERMILION, BLUE), strict=True):
        columns = series.columns
        widths = [high - low for low, high in zip(columns["low"], columns["high"], strict=True)]
        bars.append(
            axes.bar(
                columns["low"],
                columns["rows"],
                widths,
                bottoms,
                align="edge",
                color=colour,
                edgecolor="white",
                linewidth=0.8,
            )
        )
        bottoms = [below + rows for below, rows in zip(bottoms, columns["rows"], strict=True)]
    axes.set_xlim(min(numbers.series[0].columns["low"], default=0.0), 1)
    axes.set_xlabel("confidence (%)", color=QUIET)
    axes.grid(visible=False, axis="x")
    in_percent(axes.xaxis)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    totals = [sum(series.columns["rows"]) for series in numbers.series]
    names = [f"{series.name}: {n:,}" for series, n in zip(numbers.series, totals, strict=True)]
    legend_below(figure, bars[::-1], names, 2)
    return figure


def _draw_coverage(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "accuracy (%)")
    columns = numbers.series[0].columns
    axes.fill_between(
        columns["coverage"], columns["low"], columns["high"], color=BLUE, alpha=0.18, linewidth=0
    )
    marker = "o" if len(columns["coverage"]) == 1 else ""
    axes.plot(columns["coverage"], columns["accuracy"], color=BLUE, linewidth=1.5, marker=marker)
    axes.set_xlim(0, 1.01)
    top = max(columns["high"], default=1.0)
    low = min(columns["accuracy"], default=0.0)
    axes.set_ylim(max(0.0, low - 0.3 * (top - low) - 0.005), min(1.0, top) + 0.002)
    axes.set_xlabel("rows answered, the surest first (%)", color=QUIET)
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    return figure
