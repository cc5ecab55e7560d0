"""The look of all figures, and the parts that several of them are made of.

Only matplotlib's objects are used, never pyplot, so nothing global is left behind. The colours are
those of Okabe and Ito (2008), told apart by readers with any colour vision; where there are more
lines than colours, dashes tell them apart. Labels of classes are foreign text: they are drawn as
they are, never read as mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, PURPLE, SKY = "#e69f00", "#cc79a7", "#56b4e9"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
INK, QUIET, GRID = "#1c1f24", "#5b626d", "#e3e6ea"
ON_DARK = "#fefefe"
"""Of text on a strong colour; not that of the page, which a report changes with its reader's."""
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
LONGEST_LABEL = 24
DPI = 160


def panel(
    title: str, ylabel: str = "", xlabel: str = "", *, width: float = 5.0, height: float = 3.1
) -> tuple[Figure, Axes]:
    """Make a figure of one empty panel in the house style; sizes in inches."""
    figure = empty_figure(width, height)
    axes = figure.add_subplot()
    dress(axes, title, ylabel)
    axes.set_xlabel(xlabel, color=QUIET)
    return figure, axes


def empty_figure(width: float, height: float) -> Figure:
    """Make a figure without panels; sizes in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)


def dress(axes: Axes, title: str, ylabel: str = "") -> None:
    """Give a panel the house style."""
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=9)
    axes.set_ylabel(ylabel, color=QUIET)
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.tick_params(colors=QUIET, labelcolor=INK, length=0, labelsize=9.5)


def line_style(number: int) -> dict[str, Any]:
    """Return the look of a line: every colour once, then again with dashes."""
    place, colour = divmod(number, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": _DASHES[place % len(_DASHES)], "linewidth": 1.5}


def in_percent(*axes: Axis) -> None:
    """Write the shares of each axis as percentages, all with as few digits as tell them apart."""
    from matplotlib.ticker import Formatter

    class Percentages(Formatter):
        digits = 0

        def set_locs(self, locs: Any) -> None:
            shown = [100 * share for share in locs]
            exact = (n for n in range(5) if all(abs(x - round(x, n)) < 1e-6 for x in shown))
            self.digits = next(exact, 5)

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{100 * x:.{self.digits}f}"

    for axis in axes:
        axis.set_major_formatter(Percentages())


def line(axes: Axes, x: Sequence[float], y: Sequence[float], **look: Any) -> list[Any]:
    """Draw a line in blue, or as it is wanted; return what a legend explains."""
    return axes.plot(x, y, **{"color": BLUE, "linewidth": 1.5, **look})


def band(axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
    """Shade what lies between two lines."""
    axes.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0)


def whiskers(columns: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    """Return how far an interval reaches below and above its `value`, (2, n)."""
    value, low, high = (np.array(columns[name]) for name in ("value", "low", "high"))
    # A percentile interval may miss the value by a hair; whiskers cannot be negative.
    return np.maximum([value - low, high - value], 0)


def tiles(axes: Axes, colours: NDArray[np.float64]) -> None:
    """Draw square tiles of (n, n, 4) RGBA colours, parted by white lines."""
    edges = np.arange(len(colours) + 1) - 0.5
    axes.pcolormesh(edges, edges, colours, edgecolors="white", linewidth=1.5)


def write_tiles(
    axes: Axes, texts: Sequence[Sequence[str]], is_dark: NDArray[np.bool_], size: float
) -> None:
    """Write a text, (n, n), into every tile, white where it is dark."""
    for row, words in enumerate(texts):
        for column, text in enumerate(words):
            colour = ON_DARK if is_dark[row, column] else INK
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def name_tiles(axes: Axes, names: Sequence[str], every: int = 1, slanted: bool = True) -> None:
    """Write every so many names below the tiles and beside them, the first row on top."""
    places, shown = range(0, len(names), every), [tick(name) for name in names[::every]]
    rotation, side = (45, "right") if slanted else (0, "center")
    axes.set_xticks(
        places, shown, parse_math=False, rotation=rotation, ha=side, rotation_mode="anchor"
    )
    axes.set_yticks(places, shown, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def name_bars(axes: Axes, names: Sequence[str], longest: int = LONGEST_LABEL) -> None:
    """Write a name beside each of horizontal bars at 0, 1, ..., from top to bottom."""
    axes.set_yticks(range(len(names)), [tick(name, longest) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")


def legend_below(
    figure: Figure, artists: Sequence[Any], names: Sequence[str], ncols: int, title: str = ""
) -> None:
    """Explain lines or bars below the axes; names may be foreign text."""
    # Given with the artists, a name that begins with _ would be left out.
    legend = figure.legend(
        artists,
        ["name"] * len(artists),
        loc="outside lower center",
        ncols=ncols,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
        title=title or None,
        title_fontproperties={"size": 9},
    )
    legend.get_title().set_color(QUIET)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def tick(label: str, longest: int = LONGEST_LABEL) -> str:
    """Make a label fit beside an axis: one line that XML can hold, cut to its two ends."""
    line = "".join(letter if letter.isprintable() else " " for letter in label)
    start = longest // 2 + 1
    return line if len(line) <= longest else f"{line[:start]}…{line[start + 1 - longest :]}"
