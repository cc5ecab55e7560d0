"""What every HTML page of ranklet shares: one file that needs nothing else and may load nothing.

A page is a template below `pages/` that extends `page.html.jinja`, filled with plain values. The
frame brings the style, the one script, which sorts and filters tables, and a policy that allows
exactly that script by its hash. Texts and labels are escaped by Jinja; only drawings are let
through, after they were taken apart as XML and put together again.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

from ranklet.errors import RunError
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.figures import style
from ranklet.evaluation.report.table import Cell, Difference, PlainCell, Share, Table
from ranklet.evaluation.wording import between, duration, or_dash, percent
from ranklet.foreign_text import without_controls

# Colours of drawings that follow the page, which is dark where the reader's screen is.
_FOLLOWING = {
    "#ffffff": "card",
    style.INK: "ink",
    style.QUIET: "quiet",
    style.GRID: "line",
    style.BLUE: "kind-1",
    style.VERMILION: "kind-2",
    style.GREEN: "kind-3",
}


@dataclass(frozen=True)
class ReportFigure:
    """A figure as a page shows it.

    Attributes:
        svg: The drawing, as `figure_svg` renders it.
        caption: What it shows and how to read it, plain text.
    """

    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page that its template knows nothing of.

    Attributes:
        title: Its heading.
        note: What it shows and how to read it, plain text.
        figures: Its drawings.
        tables: Its tables.
        is_wide: Whether each of them takes the whole width.
    """

    title: str
    note: str = ""
    figures: Sequence[ReportFigure] = ()
    tables: Sequence[Table] = ()
    is_wide: bool = False


def render_page(template: str, **values: Any) -> str:
    """Fill a template in.

    Args:
        template: Name of a file below `pages/` that extends `page.html.jinja`.
        values: What it shows, by the names it uses.

    Returns:
        HTML that loads nothing from anywhere.
    """
    from markupsafe import Markup

    environment = _environment()
    style, script = (_source(environment, name) for name in ("page.css", "tables.js"))
    page: str = environment.get_template(template).render(
        style=Markup(style), script=Markup(script), script_hash=_policy_hash(script), **values
    )
    return without_controls(page)


def inline_figures(figures: Mapping[str, ReportFigure]) -> dict[str, ReportFigure]:
    """Make the figures of one page ready for its template, by name.

    Raises:
        RunError: A drawing is not well-formed SVG.
    """
    from markupsafe import Markup

    return {
        name: replace(
            figure, svg=Markup(_inline_svg(figure.svg, f"figure{number}-", figure.caption))
        )
        for number, (name, figure) in enumerate(figures.items(), start=1)
    }


def cell_text(cell: Cell, digits: int) -> tuple[str, str]:
    """Write a cell as a page shows it: its text, and the quieter line below, empty for none.

    Args:
        cell: What is shown.
        digits: Digits after the point of a score, as a percentage.
    """
    if isinstance(cell, tuple):
        (text, _), (note, _) = (_plain_text(part, digits) for part in cell)
        return text, note
    return _plain_text(cell, digits)


def _plain_text(cell: PlainCell, digits: int) -> tuple[str, str]:
    match cell:
        case None:
            return or_dash(str, None), ""
        case str():
            return cell, ""
        case int():
            return f"{cell:,}", ""
        case float():
            return f"{cell:.4f}", ""
        case Share():
            return percent(cell.value, cell.digits), ""
        case Metric():
            return percent(cell.value, digits), between(cell.interval, digits)
        case Difference(metric):
            value, *bounds = (
                f"{100 * share:+.{digits}f}" for share in (metric.value, *metric.interval)
            )
            return value, " to ".join(bounds)


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ranklet.evaluation.report", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell_text": cell_text,
        "percent": percent,
        "between": between,
        "count": "{:,}".format,
        "loss": partial(or_dash, "{:.4f}".format),
        "share": partial(or_dash, partial(percent, digits=2)),
        "number": "{:{}}".format,
        "duration": duration,
    }
    return environment


def _source(environment: Any, name: str) -> str:
    source: str = environment.loader.get_source(environment, name)[0]
    return source


def _policy_hash(script: str) -> str:
    """Name a script as a Content-Security-Policy does (W3C, CSP level 3, section 2.3.1)."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"


def _inline_svg(svg: str, prefix: str, caption: str) -> str:
    """Make an SVG file part of a page: no header, ids of its own, size and colours of the page.

    Raises:
        RunError: Not well-formed SVG.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise RunError(f"figure: not SVG ({error}); render it with figure_svg") from error
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
        _make_local(parent, prefix)
    width = float(root.get("viewBox", "0 0 360 0").split()[2])
    # A usual figure shrinks to fit a phone; a wide one would be unreadable and scrolls in its box.
    least = 0.85 * width if width < 400 else 1.1 * width
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    style = f"min-width: {least:.0f}px; max-width: {1.6 * width:.0f}px"
    root.attrib |= {"role": "img", "aria-label": caption, "style": style}
    return ElementTree.tostring(root, encoding="unicode")


def _make_local(element: ElementTree.Element, prefix: str) -> None:
    """Drop the namespaces, which HTML knows by itself, and prefix ids and what refers to them."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    for key, value in attributes.items():
        if key == "id":
            attributes[key] = prefix + value
        elif key == "href" and value.startswith("#"):
            attributes[key] = f"#{prefix}{value[1:]}"
        elif key == "style":
            local = value.replace("url(#", f"url(#{prefix}")
            attributes[key] = re.sub("#[0-9a-f]{6}", _following, local)
        else:
            attributes[key] = value.replace("url(#", f"url(#{prefix}")
    element.attrib.clear()
    element.attrib.update(attributes)


def _following(colour: re.Match[str]) -> str:
    name = _FOLLOWING.get(colour[0])
    return colour[0] if name is None else f"var(--{name})"
