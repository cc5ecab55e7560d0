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
    filled = [place for place, each in enumerate(bins) if each.right or each.wrong]
    shown = bins[filled[0] :] if filled else bins
    edges = {"low": [each.low for each in shown], "high": [each.high for each in shown]}
    series = (
        Series("right", {**edges, "rows": [each.right for each in shown]}),
        Series("wrong", {**edges, "rows": [each.wrong for each in shown]}),
    )
    units = {"low": _SHARE, "high": _SHARE, "rows": "rows"}
    return Drawing(Numbers("Confidence of right and wrong", units, series), _draw_confidence)


def coverage(covered: Sequence[Coverage]) -> Drawing:
    """Show the accuracy where only the surest rows are answered, with its 95 % interval."""
    known = [(each, each.accuracy) for each in covered if each.accuracy is not None]
    columns: dict[str, list[float]] = {
        "coverage": [each.coverage for each, _ in known],
        "accuracy": [metric.value for _, metric in known],
        "low": [metric.interval[0] for _, metric in known],
        "high": [metric.interval[1] for _, metric in known],
        "threshold": [each.threshold for each, _ in known],
        "rows": [each.rows for each, _ in known],
    }
    units = {**dict.fromkeys(columns, _SHARE), "rows": "rows"}
    series = (Series("surest rows", columns),)
    return Drawing(Numbers("Accuracy of the surest rows", units, series), _draw_coverage)


def _bins(bins: Sequence[ReliabilityBin]) -> dict[str, list[float]]:
    return {
        "confidence": [each.confidence for each in bins],
        "accuracy": [each.accuracy.value for each in bins],
        "low": [each.accuracy.interval[0] for each in bins],
        "high": [each.accuracy.interval[1] for each in bins],
        "rows": [each.rows for each in bins],
    }


def _draw_reliability(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "accuracy (%)", height=4.4)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", zorder=1)
    artists: list[Any] = []
    # What the classifier says now is drawn last, over what it would have said.
    for each, colour, marker in reversed(
        list(zip(numbers.series, (BLUE, ORANGE), "os", strict=False))
    ):
        held = each.columns
        axes.vlines(held["confidence"], held["low"], held["high"], color=colour, alpha=0.35)
        line = axes.plot(
            held["confidence"],
            held["accuracy"],
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
    names = [f"{each.name}: error {100 * each.facts['error']:.2f} %" for each in numbers.series]
    if len(names) > 1:
        names[0] = f"at temperature {numbers.marks['temperature']:.2f}: " + names[0].split(": ")[1]
    legend_below(figure, artists, names, 1)
    return figure


def _draw_confidence(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "rows", height=3.4)
    bars = []
    bottoms = [0] * len(numbers.series[0].columns["low"])
    # Wrong ones stand on the axis, where few can be seen beside many.
    for each, colour in zip(reversed(numbers.series), (VERMILION, BLUE), strict=True):
        held = each.columns
        widths = [high - low for low, high in zip(held["low"], held["high"], strict=True)]
        bars.append(
            axes.bar(
                held["low"],
                held["rows"],
                widths,
                bottoms,
                align="edge",
                color=colour,
                edgecolor="white",
                linewidth=0.8,
            )
        )
        bottoms = [below + rows for below, rows in zip(bottoms, held["rows"], strict=True)]
    axes.set_xlim(min(numbers.series[0].columns["low"], default=0.0), 1)
    axes.set_xlabel("confidence (%)", color=QUIET)
    axes.grid(visible=False, axis="x")
    in_percent(axes.xaxis)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    totals = [sum(each.columns["rows"]) for each in numbers.series]
    names = [f"{each.name}: {n:,}" for each, n in zip(numbers.series, totals, strict=True)]
    legend_below(figure, bars[::-1], names, 2)
    return figure


def _draw_coverage(numbers: Numbers) -> Figure:
    figure, axes = panel(numbers.title, "accuracy (%)")
    held = numbers.series[0].columns
    axes.fill_between(
        held["coverage"], held["low"], held["high"], color=BLUE, alpha=0.18, linewidth=0
    )
    marker = "o" if len(held["coverage"]) == 1 else ""
    axes.plot(held["coverage"], held["accuracy"], color=BLUE, linewidth=1.5, marker=marker)
    axes.set_xlim(0, 1.01)
    top = max(held["high"], default=1.0)
    low = min(held["accuracy"], default=0.0)
    axes.set_ylim(max(0.0, low - 0.3 * (top - low) - 0.005), min(1.0, top) + 0.002)
    axes.set_xlabel("rows answered, the surest first (%)", color=QUIET)
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    return figure
