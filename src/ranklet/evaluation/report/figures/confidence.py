"""What the confidence of a classifier is worth, where a text has one label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ranklet.evaluation.calibration import Calibration, ReliabilityBin
from ranklet.evaluation.curves import ConfidenceBin
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series, with_bounds
from ranklet.evaluation.selective import Coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability(calibration: Calibration) -> Drawing:
    """Show accuracy over confidence by bins, before and after the temperature if that is known."""
    series = [Series("as given", _bins(calibration.reliability), {"error": calibration.error})]
    if calibration.temperature != 1.0 and calibration.reliability_before:
        before = _bins(calibration.reliability_before)
        series.append(Series("at temperature 1", before, {"error": calibration.error_before}))
    units = {
        **dict.fromkeys(("confidence", "accuracy", "low", "high", "error"), SHARE),
        "rows": "rows",
        "temperature": "what logits are divided by",
        "exponent": "the power of their distances",
    }
    marks = {"temperature": calibration.temperature, "exponent": calibration.exponent}
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
    units = {"low": SHARE, "high": SHARE, "rows": "rows"}
    return Drawing(Numbers("Confidence of right and wrong", units, series), _draw_confidence)


def coverage(covered: Sequence[Coverage]) -> Drawing:
    """Show the accuracy where only the surest rows are answered, with its 95 % interval."""
    answered = [(point, point.accuracy) for point in covered if point.accuracy is not None]
    columns: dict[str, Sequence[Any]] = {
        "coverage": [point.coverage for point, _ in answered],
        **with_bounds("accuracy", [metric for _, metric in answered]),
        "threshold": [point.threshold for point, _ in answered],
        "rows": [point.rows for point, _ in answered],
    }
    units = {**dict.fromkeys(columns, SHARE), "rows": "rows"}
    series = (Series("surest rows", columns),)
    return Drawing(Numbers("Accuracy of the surest rows", units, series), _draw_coverage)


def _bins(bins: Sequence[ReliabilityBin]) -> dict[str, Sequence[Any]]:
    return {
        "confidence": [entry.confidence for entry in bins],
        **with_bounds("accuracy", [entry.accuracy for entry in bins]),
        "rows": [entry.rows for entry in bins],
    }


def _draw_reliability(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "accuracy (%)", "confidence (%)", height=4.4)
    axes.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=":", zorder=1)
    artists: list[Any] = []
    looks: tuple[dict[str, Any], ...] = (
        {"color": style.BLUE, "marker": "o", "linestyle": "-"},
        {"color": style.ORANGE, "marker": "s", "linestyle": (0, (4, 1.5))},
    )
    # What the classifier says now is drawn last, over what it would have said.
    for series, look in reversed(list(zip(numbers.series, looks, strict=False))):
        columns = series.columns
        places = columns["confidence"]
        axes.vlines(places, columns["low"], columns["high"], color=look["color"], alpha=0.35)
        artists[:0] = style.line(axes, places, columns["accuracy"], markersize=4.5, **look)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    style.in_percent(axes.xaxis, axes.yaxis)
    names = [
        f"{series.name}: error {100 * series.facts['error']:.2f} %" for series in numbers.series
    ]
    if len(names) > 1:
        marks = numbers.marks
        scaled = f"at temperature {marks['temperature']:.2f}"
        if marks["exponent"] != 1:
            scaled += f", exponent {marks['exponent']:.2f}"
        names[0] = f"{scaled}: " + names[0].split(": ")[1]
    style.legend_below(figure, artists, names, 1)
    return figure


def _draw_confidence(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "rows", "confidence (%)", height=3.4)
    low, high = (np.array(numbers.series[0].columns[name]) for name in ("low", "high"))
    right, wrong = (np.array(series.columns["rows"]) for series in numbers.series)
    # Wrong ones stand on the axis, where few can be seen beside many.
    look: dict[str, Any] = {"align": "edge", "edgecolor": "white", "linewidth": 0.8}
    below = axes.bar(low, wrong, high - low, color=style.VERMILION, **look)
    above = axes.bar(low, right, high - low, wrong, color=style.BLUE, **look)
    axes.set_xlim(min(low, default=0.0), 1)
    axes.grid(visible=False, axis="x")
    style.in_percent(axes.xaxis)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    names = [f"{series.name}: {sum(series.columns['rows']):,}" for series in numbers.series]
    style.legend_below(figure, [above, below], names, 2)
    return figure


def _draw_coverage(numbers: Numbers) -> Figure:
    xlabel = "rows answered, the surest first (%)"
    figure, axes = style.panel(numbers.title, "accuracy (%)", xlabel)
    columns = numbers.series[0].columns
    places, values, high = columns["coverage"], columns["accuracy"], columns["high"]
    style.band(axes, places, columns["low"], high)
    style.line(axes, places, values, marker="o" if len(places) == 1 else "")
    axes.set_xlim(0, 1.01)
    top, low = max(high, default=1.0), min(values, default=0.0)
    axes.set_ylim(max(0.0, low - 0.3 * (top - low) - 0.005), min(1.0, top) + 0.002)
    style.in_percent(axes.xaxis, axes.yaxis)
    return figure
