"""Figures of a training: what its records say, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.figures.drawing import SHARE, Drawing, Numbers, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

POINTS = 120  # more than a line of this width can show
_PLACES = {"step": "optimizer steps", "epoch": "epochs"}
_SCORES = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "F1"}


def training_figures(records: Sequence[Record]) -> dict[str, Drawing]:
    """Prepare every curve that the records of a training have points for, by name.

    Args:
        records: Rows of `metrics.jsonl`; a record that lacks a number, or holds one that is not
            finite, is left out of that curve.
    """
    drawings = {
        "training_loss": training_loss(records),
        "validation_loss": validation_loss(records),
        "validation_accuracy": validation_accuracy(records),
        "validation_scores": validation_scores(records),
        "learning_rate": learning_rate(records),
    }
    return {
        name: drawing
        for name, drawing in drawings.items()
        if drawing.numbers.series[0].columns["epoch"]
    }


def training_loss(records: Sequence[Record]) -> Drawing:
    """Show the training loss by epoch, with the range behind each of at most 120 mean points."""
    points = points_of(records, "train", "loss")
    losses = np.asarray(points["loss"])
    parts = neighbours(len(losses), POINTS)
    columns = {
        **means_of(points, parts),
        "lowest": [float(losses[part].min()) for part in parts],
        "highest": [float(losses[part].max()) for part in parts],
    }
    units = {**_PLACES, **dict.fromkeys(("loss", "lowest", "highest"), "nats")}
    return Drawing(Numbers("Training loss", units, (Series("training", columns),)), _draw_loss)


def validation_loss(records: Sequence[Record]) -> Drawing:
    """Show the validation loss by epoch and mark the lowest; rows of `metrics.jsonl`."""
    return _validation(records, "loss", "nats", _draw_validation_loss)


def validation_accuracy(records: Sequence[Record]) -> Drawing:
    """Show the validation accuracy by epoch and mark the highest; rows of `metrics.jsonl`."""
    return _validation(records, "accuracy", SHARE, _draw_validation_accuracy)


def validation_scores(records: Sequence[Record]) -> Drawing:
    """Show macro precision, recall and F1 of validation by step; rows of `metrics.jsonl`."""
    points = points_of(records, "validation", *_SCORES)
    series = tuple(
        Series(score, {"step": points["step"], "epoch": points["epoch"], "score": points[name]})
        for name, score in _SCORES.items()
    )
    units = {**_PLACES, "score": SHARE}
    return Drawing(Numbers("Validation scores, macro", units, series), _draw_scores)


def learning_rate(records: Sequence[Record]) -> Drawing:
    """Show the learning rate by step, at no more than 120 of them; rows of `metrics.jsonl`."""
    points = points_of(records, "train", "learning_rate")
    steps = len(points["step"])
    kept = np.unique(np.linspace(0, max(steps - 1, 0), min(POINTS, steps)).round().astype(int))
    columns = {name: [values[place] for place in kept] for name, values in points.items()}
    units = {**_PLACES, "learning_rate": "step size of the first group of parameters"}
    return Drawing(Numbers("Learning rate", units, (Series("training", columns),)), _draw_rate)


def neighbours(count: int, most: int) -> list[NDArray[np.int64]]:
    """Part the places of `count` points into at most `most` runs of neighbours, none empty."""
    return [part for part in np.array_split(np.arange(count), min(most, count) or 1) if len(part)]


def means_of(
    points: Mapping[str, Sequence[float]], parts: Sequence[NDArray[np.int64]]
) -> dict[str, list[float]]:
    """Average neighbouring points, column by column."""
    return {
        name: [float(np.mean(np.asarray(values)[part])) for part in parts]
        for name, values in points.items()
    }


def points_of(records: Sequence[Record], kind: str, *fields: str) -> dict[str, list[float]]:
    """Collect step, epoch and fields of one kind of record where all fields are finite."""
    points = [
        record
        for record in records
        if record.get("kind") == kind
        and all(math.isfinite(record.get(name, math.nan)) for name in fields)
    ]
    return {name: [record[name] for record in points] for name in (*_PLACES, *fields)}


def _validation(
    records: Sequence[Record], field: str, unit: str, draw: Callable[[Numbers], Figure]
) -> Drawing:
    series = Series("validation", points_of(records, "validation", field))
    return Drawing(Numbers(f"Validation {field}", {**_PLACES, field: unit}, (series,)), draw)


def _draw_loss(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "loss (nats)")
    columns = numbers.series[0].columns
    epochs, losses = columns["epoch"], columns["loss"]
    if columns["lowest"] != columns["highest"]:
        style.band(axes, epochs, columns["lowest"], columns["highest"])
    style.line(axes, epochs, losses, marker="o" if len(losses) == 1 else "")
    axes.set_ylim(bottom=0)
    along(axes, "epoch", epochs)
    return figure


def _draw_validation_loss(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "loss (nats)")
    _line_with_best(axes, numbers, "loss", np.argmin, "lowest {:.4f}")
    return figure


def _draw_validation_accuracy(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "accuracy (%)")
    _line_with_best(axes, numbers, "accuracy", np.argmax, "highest {:.2%}")
    style.in_percent(axes.yaxis)
    return figure


def _line_with_best(
    axes: Axes, numbers: Numbers, column: str, best_of: Callable[[Any], Any], note: str
) -> None:
    """Draw a figure of validation by epoch, and mark and name the best."""
    epochs, values = (numbers.series[0].columns[name] for name in ("epoch", column))
    style.line(axes, epochs, values, marker="o" if len(values) <= POINTS / 2 else "", markersize=4)
    along(axes, "epoch", epochs)
    if values:
        best = int(best_of(values))
        axes.plot(epochs[best], values[best], color=style.VERMILION, marker="D", markersize=7)
        text = f"{note.format(values[best])} at epoch {epochs[best]:g}".replace("%", " %")
        axes.set_title(text, loc="right", fontsize=9, color=style.VERMILION, pad=9)


def _draw_scores(numbers: Numbers) -> Figure:
    figure, axes = style.panel(numbers.title, "score (%)", height=3.4)
    lines = []
    for number, series in enumerate(numbers.series):
        steps = series.columns["step"]
        marker = "os^"[number] if len(steps) <= POINTS / 4 else ""
        look = style.line_style(number) | {"marker": marker, "markersize": 4}
        lines += axes.plot(steps, series.columns["score"], **look)
        along(axes, "step", steps)
    style.in_percent(axes.yaxis)
    style.legend_below(figure, lines, [series.name for series in numbers.series], 3)
    return figure


def _draw_rate(numbers: Numbers) -> Figure:
    from matplotlib.ticker import ScalarFormatter

    figure, axes = style.panel(numbers.title, "learning rate")
    columns = numbers.series[0].columns
    steps, rates = columns["step"], columns["learning_rate"]
    style.line(axes, steps, rates, marker="o" if len(steps) == 1 else "")
    axes.set_ylim(0, 1.08 * max(rates, default=0) or 1)
    formatter = ScalarFormatter(useMathText=True)
    formatter.set_powerlimits((-2, 3))
    axes.yaxis.set_major_formatter(formatter)
    axes.yaxis.get_offset_text().set(color=style.QUIET, fontsize=9.5)
    axes.yaxis.set_offset_position("right")
    along(axes, "step", steps)
    return figure


def along(axes: Axes, name: str, places: Sequence[float]) -> None:
    """Let a horizontal axis run from 0 to the end of a training."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    last = max(places, default=0) or 1.0
    axes.set_xlim(0, 1.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=bool(last >= 3)))
    if name == "step":
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(name, color=style.QUIET)
