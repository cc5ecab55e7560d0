"""What all figures share: the numbers behind each, and the files.

A figure is drawn from its numbers alone, and these are what its JSON file holds.
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
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures.style import DPI
from ranklet.files import make_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FileKind = Literal["png", "svg"]

SHARE = "share, 0 to 1"


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


def with_bounds(name: str, metrics: Sequence[Metric]) -> dict[str, Sequence[Any]]:
    """Return values, by a name, and the ends of their intervals as columns."""
    return {
        name: [metric.value for metric in metrics],
        "low": [metric.interval[0] for metric in metrics],
        "high": [metric.interval[1] for metric in metrics],
    }


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
    figure.set_dpi(DPI)
    if kind == "png":
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(content, metadata={"Software": None})
    else:
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(content, metadata={"Date": None, "Creator": None})
    return content.getvalue()
