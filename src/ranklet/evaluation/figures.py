"""Figures of a training and of an evaluation, as matplotlib objects and as files.

Only matplotlib's objects are used, never pyplot, so nothing global is left behind. Blue, vermilion
and green are those of Okabe and Ito (2008), told apart by readers with any colour vision. Labels of
classes are foreign text: they are drawn as they are, never read as mathematics. Tables and captions
belong to the report.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import RunError
from ranklet.evaluation.result import SCORES, ClassMetrics, Evaluation
from ranklet.files import make_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

_BLUE, _VERMILION, _GREEN = "#0072b2", "#d55e00", "#009e73"
_INK, _QUIET, _GRID = "#1c1f24", "#5b626d", "#e3e6ea"
_POINTS = 120  # more than a line of this width can show
_MOST_CLASSES_WITH_NUMBERS = 20
_MOST_CLASSES_AS_TILES = 40
_MOST_CLASSES_AS_BARS = 25
_LONGEST_LABEL = 24


def training_loss(records: Sequence[Record]) -> Figure:
    """Draw the training loss by epoch, with the range of what each point averages.

    Args:
        records: Rows of `metrics.jsonl`; those of kind `train` are drawn.
    """
    epochs, losses = _series(records, "train", "loss")
    figure, axes = _panel("Training loss", "loss (nats)")
    parts = np.array_split(np.arange(len(losses)), min(_POINTS, len(losses)) or 1)
    middle = [epochs[part].mean() for part in parts if len(part)]
    if len(losses) > _POINTS:
        low, high = [losses[part].min() for part in parts], [losses[part].max() for part in parts]
        axes.fill_between(middle, low, high, color=_BLUE, alpha=0.18, linewidth=0)
    means = [losses[part].mean() for part in parts if len(part)]
    axes.plot(middle, means, color=_BLUE, linewidth=1.5, marker="o" if len(means) == 1 else "")
    axes.set_ylim(bottom=0)
    _epoch_axis(axes, epochs)
    return figure


def validation_loss(records: Sequence[Record]) -> Figure:
    """Draw the validation loss by epoch and mark the lowest.

    Args:
        records: Rows of `metrics.jsonl`; those of kind `validation` are drawn.
    """
    epochs, losses = _series(records, "validation", "loss")
    figure, axes = _panel("Validation loss", "loss (nats)")
    _marked_line(axes, epochs, losses, losses.argmin() if len(losses) else None, "lowest {:.4f}")
    return figure


def validation_accuracy(records: Sequence[Record]) -> Figure:
    """Draw the validation accuracy by epoch and mark the highest.

    Args:
        records: Rows of `metrics.jsonl`; those of kind `validation` are drawn.
    """
    epochs, shares = _series(records, "validation", "accuracy")
    figure, axes = _panel("Validation accuracy", "accuracy (%)")
    best = shares.argmax() if len(shares) else None
    _marked_line(axes, epochs, 100 * shares, best, "highest {:.2f} %")
    return figure


def confusion_counts(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Draw a confusion matrix as numbers of rows.

    Args:
        confusion: (classes, classes) counts, rows true.
        labels: Names of the classes.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    texts = [[f"{count:,}" for count in row] for row in counts]
    return _confusion("Confusion: rows", counts / max(int(counts.max()), 1), texts, labels)


def confusion_shares(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Draw a confusion matrix as shares of every true class; a class without rows is empty.

    Args:
        confusion: (classes, classes) counts, rows true.
        labels: Names of the classes.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    texts = [[f"{100 * share:.1f}" for share in row] for row in shares]
    return _confusion("Confusion: % of the true class", shares, texts, labels)


def class_bars(classes: Sequence[ClassMetrics]) -> Figure:
    """Draw precision, recall and F1 of every class with their 95 % intervals.

    Of more than 25 classes those with the lowest F1 are drawn, and the title says so.

    Args:
        classes: Scores of the classes, top to bottom.
    """
    shown, title = list(classes), "Scores by class"
    if len(shown) > _MOST_CLASSES_AS_BARS:
        shown = sorted(shown, key=lambda entry: entry.f1.value)[:_MOST_CLASSES_AS_BARS]
        title = f"Scores by class: the {len(shown)} lowest of {len(classes)}"
    figure, axes = _panel(title, "", height=1.1 + 0.52 * len(shown))
    for offset, (score, colour) in enumerate(zip(SCORES, (_BLUE, _VERMILION, _GREEN), strict=True)):
        _bars(axes, shown, score, colour, (offset - 1) * 0.26)
    axes.set_yticks(range(len(shown)), [_tick(entry.label) for entry in shown], parse_math=False)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.set_xlim(0, 100)
    axes.set_xlabel("%", color=_QUIET)
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=_INK)
    return figure


def training_figures(records: Sequence[Record]) -> dict[str, Figure]:
    """Draw every curve that the records of a training have points for, by name."""
    draw = {
        "training_loss": (training_loss, "train", "loss"),
        "validation_loss": (validation_loss, "validation", "loss"),
        "validation_accuracy": (validation_accuracy, "validation", "accuracy"),
    }
    return {
        name: function(records)
        for name, (function, kind, field) in draw.items()
        if len(_series(records, kind, field)[0])
    }


def evaluation_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Draw every figure of an evaluation; the names start with its split."""
    figures = {"class_bars": class_bars(evaluation.classes)}
    if evaluation.label_sets is None:
        figures |= {
            "confusion_counts": confusion_counts(evaluation.confusion, evaluation.labels),
            "confusion_shares": confusion_shares(evaluation.confusion, evaluation.labels),
        }
    return {figure_name(evaluation.split, kind): figure for kind, figure in figures.items()}


def figure_name(split: str, kind: str) -> str:
    """Name a figure of an evaluation so that it can be a file, such as `test_class_bars`."""
    return f"{re.sub('[^A-Za-z0-9-]+', '_', split).strip('_-') or 'data'}_{kind}"


def figure_svg(figure: Figure) -> str:
    """Render a figure as SVG whose text stays text; equal figures give equal bytes."""
    return _rendered(figure, "svg").decode("utf-8")


def save_figures(folder: Path, figures: Mapping[str, Figure]) -> dict[str, str]:
    """Write every figure as NAME.png and NAME.svg; each file appears whole.

    Args:
        folder: Where to write; made if missing.
        figures: Name to figure; names of letters, digits, `_` and `-`.

    Returns:
        The SVG of each, by name, since drawing takes longer than anything else in a short training.

    Raises:
        RunError: A name that cannot be a file, or a file that cannot be written.
    """
    for name in figures:
        if not re.fullmatch("[A-Za-z0-9_-]+", name):
            raise RunError(f"figure name {name!r}: only letters, digits, _ and - are allowed")
    make_folder(folder)
    drawings = {name: figure_svg(figure) for name, figure in figures.items()}
    for name, figure in figures.items():
        write_atomically(folder / f"{name}.png", _rendered(figure, "png"))
        write_atomically(folder / f"{name}.svg", drawings[name])
    return drawings


def _panel(title: str, ylabel: str, width: float = 5.0, height: float = 3.1) -> tuple[Figure, Axes]:
    """Make an empty figure in the house style; sizes in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(width, height), facecolor="white", layout=layout)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=_INK, pad=9)
    axes.set_ylabel(ylabel, color=_QUIET)
    axes.set_axisbelow(True)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_QUIET)
    axes.tick_params(colors=_QUIET, labelcolor=_INK, length=0, labelsize=9.5)
    return figure, axes


def _series(
    records: Sequence[Record], kind: str, field: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Collect (epochs, values) of one kind of record, both (n,); what is not finite is left out."""
    points = [
        (record["epoch"], record[field])
        for record in records
        if record.get("kind") == kind and math.isfinite(record.get(field, math.nan))
    ]
    table = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _marked_line(
    axes: Axes,
    epochs: NDArray[np.float64],
    values: NDArray[np.float64],
    best: np.intp | None,
    note: str,
) -> None:
    marker = "o" if len(values) <= _POINTS / 2 else ""
    axes.plot(epochs, values, color=_BLUE, linewidth=1.5, marker=marker, markersize=4)
    _epoch_axis(axes, epochs)
    if best is not None:
        axes.plot(epochs[best], values[best], color=_VERMILION, marker="D", markersize=7)
        text = f"{note.format(values[best])} at epoch {epochs[best]:g}"
        axes.set_title(text, loc="right", fontsize=9, color=_VERMILION, pad=9)


def _epoch_axis(axes: Axes, epochs: NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    last = epochs.max(initial=0) or 1.0
    axes.set_xlim(0, 1.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=bool(last >= 3)))
    axes.set_xlabel("epoch", color=_QUIET)


def _bars(
    axes: Axes,
    classes: Sequence[ClassMetrics],
    score: str,
    colour: str,
    offset: float,
) -> None:
    found = [getattr(entry, score) for entry in classes]
    values = np.array([metric.value for metric in found])
    low, high = np.array([metric.interval for metric in found]).T
    axes.barh(
        np.arange(len(found)) + offset,
        100 * values,
        height=0.24,
        color=colour,
        label={"f1": "F1"}.get(score, score),
        # A percentile interval may miss the value by a hair; whiskers cannot be negative.
        xerr=100 * np.maximum([values - low, high - values], 0),
        error_kw={"ecolor": _INK, "elinewidth": 1, "capsize": 2},
    )


def _confusion(
    title: str, shares: NDArray[np.float64], texts: list[list[str]], labels: Sequence[str]
) -> Figure:
    """Draw tiles: right answers blue, errors vermilion, darker for larger shares.

    Args:
        title: Title of the figure.
        shares: (classes, classes) 0..1, what the shade shows.
        texts: What is written into the tiles, where there is room.
        labels: Names of the classes.
    """
    classes = len(labels)
    side = min(9.0, max(3.4, 1.6 + 0.42 * classes))
    figure, axes = _panel(title, "true", width=side + 0.9, height=side)
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
    _confusion_axes(axes, labels)
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
            colour = _INK if brightness[row, column] > 0.55 else "white"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def _confusion_axes(axes: Axes, labels: Sequence[str]) -> None:
    classes = len(labels)
    every = math.ceil(classes / _MOST_CLASSES_AS_TILES)
    ticks, names = range(0, classes, every), [_tick(label) for label in labels[::every]]
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
    axes.tick_params(labelsize=9.5 if classes <= 12 else 7)
    axes.set_xlabel("predicted", color=_QUIET)
    axes.set_ylim(classes - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _tick(label: str) -> str:
    """Make a label fit beside an axis: one line of 24 characters that XML can hold, ends kept."""
    line = "".join(letter if letter.isprintable() else " " for letter in label)
    return line if len(line) <= _LONGEST_LABEL else f"{line[:13]}…{line[-10:]}"


def _rendered(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    import matplotlib

    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    content = io.BytesIO()
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ranklet"}),
        warnings.catch_warnings(),
    ):
        # A label in a script that the drawing font lacks still shows in the SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format=kind, dpi=160, metadata=metadata)
    return content.getvalue()
