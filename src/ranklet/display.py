"""How results show themselves: one line in a REPL, a table when printed, and one in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol, TypeVar

MOST_ROWS = 40
"""Of a table that is shown; the rest is counted."""


@dataclass(frozen=True)
class Display:
    """A result as people read it.

    Attributes:
        caption: What it is and its main figure, in one line.
        columns: Heads of the table.
        rows: Cells of the table, as many as there are columns.
        notes: Lines below it.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the caption alone, for `__repr__`."""
        return f"<{self.caption}>"

    def text(self) -> str:
        """Return everything as aligned text, the first column to the left, for `__str__`."""
        table = [self.columns, *self.rows[:MOST_ROWS]]
        widths = [max(len(row[place]) for row in table) for place in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        return "\n".join([self.caption, "", *lines, *self._rest(), *self.notes])

    def html(self) -> str:
        """Return everything as an HTML table, for `_repr_html_`."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.rows[:MOST_ROWS]
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in (*self._rest(), *self.notes))
        return (
            f"<table><caption>{escape(self.caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )

    def _rest(self) -> tuple[str, ...]:
        hidden = len(self.rows) - MOST_ROWS
        return (f"and {hidden:,} more",) if hidden > 0 else ()


class Displayable(Protocol):
    """What can be shown."""

    def display(self) -> Display:
        """Return the result as people read it."""


Result = TypeVar("Result", bound=Displayable)


def shows_itself(kind: type[Result]) -> type[Result]:
    """Let a class show its `display`: one line in a REPL, else a table."""
    methods = {"__repr__": Display.line, "__str__": Display.text, "_repr_html_": Display.html}
    for name, show in methods.items():
        setattr(kind, name, _method(show))
    return kind


def _method(show: Callable[[Display], str]) -> Callable[[Displayable], str]:
    return lambda result: show(result.display())


def with_interval(value: float, interval: tuple[float, float]) -> str:
    """Write a share and its interval as plain decimals."""
    low, high = interval
    return f"{value:.4f} ({low:.4f} to {high:.4f})"
