"""What the texts are like: their lengths and their labels, by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ranklet.evaluation.data_description import DataDescription, Lengths
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import Drawing, Numbers, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CLASSES = 40
_MOST_TALL_CLASSES = 12
_FAR = 1.6  # a limit farther away than this, in widths of the figure, is only written


def data_figures(description: DataDescription) -> dict[str, Drawing]:
    """Prepare the figures of the texts that a model was trained and evaluated on, by name."""
    return {
        "text_words": text_lengths(description.words, "words"),
        "text_tokens": text_lengths(description.tokens, "tokens"),
        "class_distribution": class_distribution(
            description.labels, description.label_rows, description.rows
        ),
    }


def text_lengths(lengths: Lengths, unit: str) -> Drawing:
    """Show what share of each split is how many words or tokens long, and the recipe's limits."""
    series = tuple(
        Series(
            split,
            {
                f"from_{unit}": lengths.starts,
                "texts": texts,
                "share": [count / max(1, sum(texts)) for count in texts],
            },
        )
        for split, texts in lengths.texts.items()
    )
    units = {f"from_{unit}": f"{unit}, up to the next one", "texts": "texts", "share": "of a split"}
    title = f"Length of the texts in {unit}"
    numbers = Numbers(title, units, series, marks=lengths.limits)
    return Drawing(numbers, partial(_draw_lengths, unit=unit))


def class_distribution(
    labels: Sequence[str], counts: Mapping[str, Sequence[int]], rows: Mapping[str, int]
) -> Drawing:
    """Show what share of the texts of each split has each label.

    Of more than 40 labels those that the fewest texts of the first split have are shown, and the
    title says so.

    Args:
        labels: Names of the labels.
        counts: Split to the texts that have each label.
        rows: Split to its number of texts.
    """
    shown, title = list(range(len(labels))), "Texts by class"
    if len(labels) > _MOST_CLASSES:
        first = next(iter(counts.values()))
        shown = sorted(shown, key=lambda place: first[place])[:_MOST_CLASSES]
        title = f"Texts by class: the {len(shown)} rarest of {len(labels)}"
    series = tuple(
        Series(
            split,
            {
                "texts": [label_rows[place] for place in shown],
                "share": [label_rows[place] / max(1, rows[split]) for place in shown],
            },
        )
        for split, label_rows in counts.items()
    )
    units = {"texts": "texts", "share": "of a split"}
    numbers = Numbers(title, units, series, tuple(labels[place] for place in shown))
    return Drawing(numbers, _draw_classes)


def _draw_lengths(numbers: Numbers, unit: str) -> Figure:
    xlabel = f"{unit}, the longest texts in the last step"
    figure, axes = style.panel(numbers.title, "texts of the split (%)", xlabel, height=3.5)
    starts = numbers.series[0].columns[f"from_{unit}"]
    width = starts[1] - starts[0] if len(starts) > 1 else 1
    edges = [*starts, starts[-1] + width]
    artists = []
    for place, (series, colour) in enumerate(zip(numbers.series, style.COLOURS, strict=False)):
        shares = series.columns["share"]
        if place == 0:
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.15)
        artists.append(axes.stairs(shares, edges, color=colour, linewidth=1.5))
    axes.set_ylim(bottom=0)
    _mark_limits(axes, numbers.marks, edges[-1])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    style.in_percent(axes.yaxis)
    style.legend_below(figure, artists, [series.name for series in numbers.series], 3)
    return figure


def _mark_limits(axes: Axes, limits: Mapping[str, float], end: float) -> None:
    """Draw a line at every limit; one far to the right of all texts is only named there."""
    near = [limit for limit in limits.values() if limit <= _FAR * end]
    right = max([end, *(1.06 * limit for limit in near)])
    axes.set_xlim(0, right)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * (1 + 0.1 * len(limits)))
    for place, (name, limit) in enumerate(limits.items()):
        is_near = limit in near
        at = limit if is_near else right
        if is_near:
            axes.axvline(limit, color=style.INK, linewidth=1, linestyle=(0, (4, 1.5)))
        on_left = at > right / 2
        axes.annotate(
            f"{name} {limit:,}" + ("" if is_near else " →"),
            (at, 0.98 - 0.085 * place),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if on_left else 4, 0),
            textcoords="offset points",
            ha="right" if on_left else "left",
            va="top",
            color=style.INK,
            fontsize=8.5,
        )


def _draw_classes(numbers: Numbers) -> Figure:
    classes, splits = len(numbers.categories), len(numbers.series)
    of_class = 0.12 + 0.11 * splits if classes <= _MOST_TALL_CLASSES else 0.25
    size = 1.1 + of_class * classes
    figure, axes = style.panel(numbers.title, xlabel="texts of the split (%)", height=size)
    height = 0.78 / splits
    artists = [
        axes.barh(
            np.arange(classes) + (place - (splits - 1) / 2) * height,
            series.columns["share"],
            height=0.92 * height,
            color=colour,
        )
        for place, (series, colour) in enumerate(zip(numbers.series, style.COLOURS, strict=False))
    ]
    style.name_bars(axes, numbers.categories)
    axes.set_xlim(left=0)
    style.in_percent(axes.xaxis)
    style.legend_below(figure, artists, [series.name for series in numbers.series], 3)
    return figure
