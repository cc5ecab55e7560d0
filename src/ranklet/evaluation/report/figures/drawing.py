"""What all figures share: the numbers behind each, the look, and the files.

A figure is drawn from its numbers alone, and these are what its JSON file holds. Only matplotlib's
objects are used, never pyplot, so nothing global is left behind. The colours are those of Okabe and
Ito (2008), told apart by readers with any colour vision; where there are more lines than colours,
dashes tell them apart. Labels of classes are foreign text: they are drawn as they are, never read
as mathematics.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ranklet.errors import RunError
from ranklet.files import make_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FileKind = Literal["png", "svg"]

BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, PURPLE, SKY = "#e69f00", "#cc79a7", "#56b4e9"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
INK, QUIET, GRID = "#1c1f24", "#5b626d", "#e3e6ea"
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
LONGEST_LABEL = 24
_DPI = 160


@dataclass(frozen=True)
class Series:
    """The numbers of one line, or of one group of bars.

    Attributes:
        name: What they belong to.
        columns: Numbers, or words, by what they are; of equal length.
        facts: Single numbers, such as the area under it.
    """

    name: str
    columns: Mapping[str, Sequence[Any]]
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Numbers:
    """Everything that a figure shows.

    Attributes:
        title: Its title.
        units: Unit of each column and fact.
        series: Its lines or groups of bars.
        categories: What the entries of every column belong to, where it is the same for all series.
        marks: Further single numbers, by name.
    """

    title: str
    units: Mapping[str, str]
    series: tuple[Series, ...]
    categories: tuple[str, ...] = ()
    marks: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON types; what is empty is left out."""
        content = {
            "title": self.title,
            "units": dict(self.units),
            "categories": list(self.categories),
            "marks": dict(self.marks),
            "series": [
                {
                    "name": series.name,
                    **series.facts,
                    **{key: list(values) for key, values in series.columns.items()},
                }
                for series in self.series
            ],
        }
        return {name: value for name, value in content.items() if value}


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn when it is asked for.

    Attributes:
        numbers: What it shows.
        draw: Makes the figure of them.
    """

    numbers: Numbers
    draw: Callable[[Numbers], Figure]

    def figure(self) -> Figure:
        """Draw it."""
        return self.draw(self.numbers)


def figure_name(split: str, kind: str) -> str:
    """Name a figure of an evaluation so that it can be a file, such as `test_class_bars`."""
    return f"{re.sub('[^A-Za-z0-9-]+', '_', split).strip('_-') or 'data'}_{kind}"


def figure_svg(drawing: Drawing) -> str:
    """Render a figure as SVG whose text stays text; equal numbers give equal bytes."""
    (svg,) = _rendered(drawing, ["svg"])
    return svg.decode("utf-8")


def save_figures(folder: Path, drawings: Mapping[str, Drawing]) -> dict[str, str]:
    """Write every figure as NAME.png and NAME.svg and its numbers as NAME.json, each file whole.

    Args:
        folder: Where to write; made if missing.
        drawings: Name to figure; names of letters, digits, `_` and `-`.

    Returns:
        The SVG of each, by name, since drawing takes longer than anything else in a short training.

    Raises:
        RunError: A name that cannot be a file, or a file that cannot be written.
    """
    for name in drawings:
        if not re.fullmatch("[A-Za-z0-9_-]+", name):
            raise RunError(f"figure name {name!r}: only letters, digits, _ and - are allowed")
    make_folder(folder)
    svgs: dict[str, str] = {}
    for name, drawing in drawings.items():
        svg, png = _rendered(drawing, ["svg", "png"])
        write_atomically(folder / f"{name}.json", json.dumps(drawing.numbers.to_json()) + "\n")
        write_atomically(folder / f"{name}.png", png)
        write_atomically(folder / f"{name}.svg", svg)
        svgs[name] = svg.decode("utf-8")
    return svgs


def panel(title: str, ylabel: str, width: float = 5.0, height: float = 3.1) -> tuple[Figure, Axes]:
    """Make a figure of one empty panel in the house style; sizes in inches."""
    figure = empty_figure(width, height)
    axes = figure.add_subplot()
    dress(axes, title, ylabel)
    return figure, axes


def empty_figure(width: float, height: float) -> Figure:
    """Make a figure without panels; sizes in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout=layout)


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


def in_percent(axis: Axis) -> None:
    """Write the shares of an axis as percentages, all with as few digits as tell them apart."""
    from matplotlib.ticker import Formatter

    class Percentages(Formatter):
        digits = 0

        def set_locs(self, locs: Any) -> None:
            shown = [100 * share for share in locs]
            exact = (n for n in range(5) if all(abs(x - round(x, n)) < 1e-6 for x in shown))
            self.digits = next(exact, 5)

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{100 * x:.{self.digits}f}"

    axis.set_major_formatter(Percentages())


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


def _rendered(drawing: Drawing, kinds: Sequence[FileKind]) -> list[bytes]:
    import matplotlib

    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ranklet"}),
        warnings.catch_warnings(),
    ):
        # A label in a script that the drawing font lacks still shows in the SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = drawing.figure()
        # Laid out once; `savefig` would do so for each file, and draw everything twice.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return [_as_file(figure, kind) for kind in kinds]


def _as_file(figure: Figure, kind: FileKind) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    content = io.BytesIO()
    figure.set_dpi(_DPI)
    if kind == "png":
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(content, metadata={"Software": None})
    else:
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(content, metadata={"Date": None, "Creator": None})
    return content.getvalue()
