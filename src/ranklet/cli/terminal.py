"""What people see in a terminal: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

    from ranklet.evaluation.intervals import Metric


def print_error(message: str) -> None:
    """Print a message to stderr in one line, even where it quotes a name that has several."""
    sys.stderr.write(f"error: {printable(message)}\n")


def report(line: str) -> None:
    """Print a line about what goes on to stderr."""
    sys.stderr.write(f"{line}\n")


def print_line(line: str = "") -> None:
    """Print a line; what cannot be printed becomes a question mark."""
    sys.stdout.write(f"{printable(line)}\n")


def print_json(content: Any) -> None:
    """Print JSON to stdout."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], figures: Sequence[int] = ()
) -> None:
    """Print a table; what cannot be printed becomes a question mark.

    Args:
        columns: Their headings.
        rows: Cells of each row.
        figures: Indices of the columns that are read from the right; a row without any text before
            them is a sum of the others.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if place in figures else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    print_rich(table)


def print_rich(content: RenderableType) -> None:
    """Print what rich lays out: whole rows where nobody looks, as wide as the terminal else."""
    _stdout().print(content)


def printable(line: str) -> str:
    """Replace what would colour a terminal or move its cursor."""
    return "".join(character if character.isprintable() else "?" for character in line)


def with_interval(metric: Metric, sign: str = "") -> str:
    """Write a figure and its interval, all with their sign where `sign` is a plus."""
    return f"{metric:{sign}.4f}"


def progress_bar(state: str) -> Progress:
    """Return a bar on stderr, shown in a terminal only and gone when it is done.

    Args:
        state: What stands beside it, as a format of rich's tasks.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(state))
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _stdout() -> Console:
    from rich.console import Console

    # Wide where nobody looks, so that a file or a pipe gets whole rows.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)
