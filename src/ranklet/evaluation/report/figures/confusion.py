"""Confusion matrices as tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.report.figures.drawing import (
    INK,
    QUIET,
    Drawing,
    Numbers,
    Series,
    panel,
    tick,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CLASSES_WITH_NUMBERS = 20
_MOST_CLASSES_AS_TILES = 40
_MOST_CLASSES_WITH_LARGE_NAMES = 12


def confusion_counts(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Show a confusion matrix as numbers of rows.

    Args:
        confusion: (classes, classes) counts, rows true.
        labels: Names of the classes.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    series = _by_true_class("rows", counts, labels)
    units = {"rows": "rows; a series is a true class, a category a predicted one"}
    numbers = Numbers("Confusion: rows", units, series, tuple(labels))
    return Drawing(numbers, partial(_draw, column="rows"))


def confusion_shares(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Show a confusion matrix as shares of every true class; a class without rows is empty.

    Args:
        confusion: (classes, classes) counts, rows true.
        labels: Names of the classes.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    series = _by_true_class("share", shares, labels)
    units = {"share": "of the rows of a true class, which is a series; a category is predicted"}
    numbers = Numbers("Confusion: % of the true class", units, series, tuple(labels))
    return Drawing(numbers, partial(_draw, column="share"))


def _by_true_class(
    column: str, table: NDArray[np.int64] | NDArray[np.float64], labels: Sequence[str]
) -> tuple[Series, ...]:
    return tuple(
        Series(label, {column: row}) for label, row in zip(labels, table.tolist(), strict=True)
    )


def _draw(numbers: Numbers, column: str) -> Figure:
    """Draw tiles: right answers blue, errors vermilion, darker for larger shares."""
    cells = np.array([series.columns[column] for series in numbers.series])
    if column == "rows":
        shares, texts = (
            cells / max(cells.max(), 1),
            [[f"{count:,}" for count in row] for row in cells],
        )
    else:
        shares, texts = cells, [[f"{100 * share:.1f}" for share in row] for row in cells]
    classes = len(cells)
    side = min(9.0, max(3.4, 1.6 + 0.42 * classes))
    letter = 0.075 if classes <= _MOST_CLASSES_WITH_LARGE_NAMES else 0.055
    names = letter * max(len(tick(label)) for label in numbers.categories)
    figure, axes = panel(numbers.title, "true", width=side + 0.3 + names, height=side)
    colours = _tile_colours(shares)
    if classes <= _MOST_CLASSES_AS_TILES:
        axes.pcolormesh(
            np.arange(classes + 1) - 0.5,
            np.arange(classes + 1) - 0.5,
            colours,
            edgecolors="white",
            linewidth=1.5,
        )
    else:
        axes.imshow(colours, interpolation="none", aspect="auto")
    if classes <= _MOST_CLASSES_WITH_NUMBERS:
        _write_tiles(axes, colours, texts)
    _name_axes(axes, numbers.categories)
    return figure


def _tile_colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give every tile a colour, (classes, classes, 3) RGB; the root lets rare errors be seen."""
    from matplotlib.colors import to_rgb

    right = np.eye(len(shares), dtype=bool)[..., None]
    full = np.where(right, to_rgb("#08519c"), to_rgb("#d94801"))
    return np.asarray(1 - np.sqrt(shares)[..., None] * (1 - full))


def _write_tiles(axes: Axes, colours: NDArray[np.float64], texts: list[list[str]]) -> None:
    brightness = colours @ np.array([0.299, 0.587, 0.114])
    size = 9.5 if len(texts) <= 8 else 7
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = INK if brightness[row, column] > 0.55 else "white"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def _name_axes(axes: Axes, labels: Sequence[str]) -> None:
    classes = len(labels)
    every = math.ceil(classes / _MOST_CLASSES_AS_TILES)
    ticks, names = range(0, classes, every), [tick(label) for label in labels[::every]]
    slanted = classes > 5 or max(len(name) for name in names) > 9
    axes.set_xticks(
        ticks,
        names,
        parse_math=False,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor",
    )
    axes.set_yticks(ticks, names, parse_math=False)
    axes.tick_params(labelsize=9.5 if classes <= _MOST_CLASSES_WITH_LARGE_NAMES else 7)
    axes.set_xlabel("predicted", color=QUIET)
    axes.set_ylim(classes - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
