"""A table as values, which a page and the terminal show alike, each with its own marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranklet.evaluation.intervals import Metric


@dataclass(frozen=True)
class Share:
    """A part of a whole, shown as a percentage.

    Attributes:
        value: The share, 0..1.
        digits: Digits after the point of its percentage.
    """

    value: float
    digits: int = 1


@dataclass(frozen=True)
class Difference:
    """What a share gained or lost, shown with its sign.

    Attributes:
        metric: The difference of two shares, -1..1, with its interval.
    """

    metric: Metric


# What stands in a table: words, a count, a figure of four digits, a score, nothing; or one of them
# with a second, quieter one.
PlainCell = str | int | float | Metric | Share | Difference | None
Cell = PlainCell | tuple[PlainCell, PlainCell]


@dataclass(frozen=True)
class Table:
    """A table, shown on a page or in the terminal; words in it are plain text.

    Attributes:
        caption: What it shows.
        columns: Their headings.
        rows: Cells of each row; the first is the row's heading.
        texts: Indices of columns that hold words, beside the first; others hold figures.
        digits: Digits after the point of its scores, as percentages.
        sorts: Whether a click on a heading sorts it.
        is_matrix: Whether the columns stand for what the rows do; its cells have a share as their
            second part and are the darker the larger it is, those of the row's own column in
            another colour.
        footer: A last row that stands for all.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: Sequence[int] = ()
    digits: int = 1
    sorts: bool = False
    is_matrix: bool = False
    footer: Sequence[Cell] = ()
