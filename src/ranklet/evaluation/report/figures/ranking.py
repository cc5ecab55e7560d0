"""ROC and precision-recall curves, each label against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ranklet.evaluation.curves import Curve, Curves
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CLOSE_UP = 0.95  # smallest area from which on all that can be seen is in one corner


def roc_curves(curves: Curves) -> Drawing:
    """Show the ROC curve of each label against the rest, with its area."""
    columns = ("false_positive_rate", "true_positive_rate")
    return Drawing(_numbers("ROC curves", curves.roc, curves.labels, columns), _draw_roc)


def precision_recall_curves(curves: Curves) -> Drawing:
    """Show precision over recall of each label against the rest, with its average precision."""
    columns = ("recall", "precision")
    numbers = _numbers("Precision-recall curves", curves.precision_recall, curves.labels, columns)
    return Drawing(numbers, _draw_precision_recall)


def _numbers(title: str, curves: Sequence[Curve], labels: int, columns: tuple[str, str]) -> Numbers:
    own = sum(curve.label is not None for curve in curves)
    if own < labels:
        title += f": the {own} lowest of {labels}"
    units = {**dict.fromkeys((*columns, "area"), SHARE), "mean_of": "labels"}
    return Numbers(title, units, tuple(_series(curve, labels, columns) for curve in curves))


def _series(curve: Curve, labels: int, columns: tuple[str, str]) -> Series:
    points = dict(zip(columns, (curve.x, curve.y), strict=True))
    if curve.label is None:
        return Series(f"mean of all {labels}", points, {"area": curve.area, "mean_of": labels})
    return Series(curve.label, points, {"area": curve.area})


def _draw_roc(numbers: Numbers) -> Figure:
    figure, axes = _with_lines(numbers, "area", "true positive rate (%)", "false positive rate (%)")
    axes.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=":", zorder=1)
    _add_close_up(axes, numbers, (0, 0.2), (0.36, 0.12, 0.6, 0.6))
    return figure


def _draw_precision_recall(numbers: Numbers) -> Figure:
    steps = {"drawstyle": "steps-pre"}
    figure, axes = _with_lines(numbers, "average precision", "precision (%)", "recall (%)", **steps)
    _add_close_up(axes, numbers, (0.8, 1), (0.1, 0.12, 0.6, 0.6), **steps)
    return figure


def _with_lines(
    numbers: Numbers, area: str, ylabel: str, xlabel: str, **look: Any
) -> tuple[Figure, Axes]:
    """Draw every curve in a square from 0 to 1, explained below with its area."""
    rows = (len(numbers.series) + 1) // 2
    figure, axes = style.panel(numbers.title, ylabel, xlabel, height=4.1 + 0.2 * rows)
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    style.in_percent(axes.xaxis, axes.yaxis)
    lines = [_line(axes, series, place, look) for place, series in enumerate(numbers.series)]
    names = [f"{style.tick(series.name)}  {series.facts['area']:.3f}" for series in numbers.series]
    style.legend_below(figure, lines, names, 2, title=f"class and {area}")
    return figure, axes


def _line(axes: Axes, series: Series, place: int, look: dict[str, Any]) -> Any:
    own = style.line_style(place)
    if "mean_of" in series.facts:
        own = {"color": style.INK, "linewidth": 1.8, "linestyle": (0, (4, 1.5))}
    (line,) = axes.plot(*series.columns.values(), **own, **look)
    return line


def _add_close_up(
    axes: Axes,
    numbers: Numbers,
    x: tuple[float, float],
    bounds: tuple[float, float, float, float],
    **look: Any,
) -> None:
    """Draw an upper corner again, larger, where good curves leave the rest of the square empty."""
    if min((series.facts["area"] for series in numbers.series), default=0.0) < _CLOSE_UP:
        return
    corner = axes.inset_axes(bounds, xlim=x, ylim=(0.8, 1.002))
    for place, series in enumerate(numbers.series):
        _line(corner, series, place, look)
    style.in_percent(corner.xaxis, corner.yaxis)
    corner.set_xticks(np.linspace(*x, 3))
    corner.set_yticks([0.8, 0.9, 1.0])
    corner.tick_params(colors=style.QUIET, length=0, labelsize=8)
    corner.grid(color=style.GRID, linewidth=0.8)
    corner.spines[:].set_color(style.GRID)
    axes.indicate_inset_zoom(corner, edgecolor=style.QUIET, alpha=0.35)
