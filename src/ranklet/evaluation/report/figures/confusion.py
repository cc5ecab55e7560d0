"""Confusion matrices as tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import Drawing, Numbers, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES_WITH_NUMBERS = 20
_MOST_CLASSES_AS_TILES = 40
_MOST_CLASSES_WITH_LARGE_NAMES = 12


def confusion_counts(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Show a (classes, classes) confusion matrix, rows true, as numbers of rows."""
    units = {"rows": "rows; a series is a true class, a category a predicted one"}
    return _drawing("Confusion: rows", units, np.asarray(confusion, np.int64), labels)


def confusion_shares(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Show a confusion matrix as shares of every true class; a class without rows is empty."""
    counts = np.asarray(confusion, np.int64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    units = {"share": "of the rows of a true class, which is a series; a category is predicted"}
    return _drawing("Confusion: % of the true class", units, shares, labels)


def _drawing(
    title: str, units: Mapping[str, str], table: NDArray[Any], labels: Sequence[str]
) -> Drawing:
    (column,) = units
    rows = zip(labels, table.tolist(), strict=True)
    series = tuple(Series(label, {column: row}) for label, row in rows)
    return Drawing(Numbers(title, units, series, tuple(labels)), partial(_draw, column=column))


def _draw(numbers: Numbers, column: str) -> Figure:
    """Draw tiles: right answers blue, errors vermilion, darker for larger shares."""
    cells = np.array([series.columns[column] for series in numbers.series])
    is_count = column == "rows"
    shares = cells / max(cells.max(), 1) if is_count else cells
    texts = [[f"{cell:,}" if is_count else f"{100 * cell:.1f}" for cell in row] for row in cells]
    classes, labels = len(cells), numbers.categories
    side = min(9.0, max(3.4, 1.6 + 0.42 * classes))
    has_large_names = classes <= _MOST_CLASSES_WITH_LARGE_NAMES
    longest = max(len(style.tick(label)) for label in labels)
    width = side + 0.3 + (0.075 if has_large_names else 0.055) * longest
    figure, axes = style.panel(numbers.title, "true", "predicted", width=width, height=side)
    colours = _tile_colours(shares)
    if classes <= _MOST_CLASSES_AS_TILES:
        style.tiles(axes, colours)
    else:
        axes.imshow(colours, interpolation="none", aspect="auto")
    if classes <= _MOST_CLASSES_WITH_NUMBERS:
        on_white = 1 - colours[..., 3:] * (1 - colours[..., :3])
        is_dark = on_white @ np.array([0.299, 0.587, 0.114]) <= 0.55
        style.write_tiles(axes, texts, is_dark, size=9.5 if classes <= 8 else 7)
    every = math.ceil(classes / _MOST_CLASSES_AS_TILES)
    shown = max(len(style.tick(label)) for label in labels[::every])
    style.name_tiles(axes, labels, every, slanted=classes > 5 or shown > 9)
    axes.tick_params(labelsize=9.5 if has_large_names else 7)
    return figure


def _tile_colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give every tile a colour, (classes, classes, 4) RGBA; the root lets rare errors be seen."""
    from matplotlib.colors import to_rgb

    right = np.eye(len(shares), dtype=bool)[..., None]
    full = np.where(right, to_rgb("#08519c"), to_rgb("#d94801"))
    return np.concatenate([full, np.sqrt(shares)[..., None]], axis=-1)
