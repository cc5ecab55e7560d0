"""What people see in a terminal: results on stdout, progress and errors on stderr.

Everything printed passes here, and leaves without what a terminal would obey.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TypeVar

from ranklet.foreign_text import printable, to_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

    from ranklet.evaluation.report.table import Cell, Table


T = TypeVar("T")

# A message quotes names, and a stranger's may be of any length.
LONGEST_ERROR = 2_000


def print_error(message: str) -> None:
    """Print a message to stderr in one line, even where it quotes a name that has several."""
    cut = message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]}…"
    sys.stderr.write(f"error: {printable(cut)}\n")


def print_traceback() -> None:
    """Print where the error that is being handled came from."""
    from traceback import format_exc

    for line in format_exc().splitlines():
        report(line)


def report(line: str) -> None:
    """Print a line about what goes on to stderr."""
    sys.stderr.write(f"{printable(line)}\n")


def print_line(line: str = "") -> None:
    """Print a line; what cannot be printed becomes a question mark."""
    sys.stdout.write(f"{printable(line)}\n")


def print_json(content: Any) -> None:
    """Print JSON to stdout; what cannot be printed is escaped."""
    text = to_json(content, indent=2)
    sys.stdout.write((text if can_show(text) else json.dumps(content, indent=2)) + "\n")


def allow_any_encoding() -> None:
    """Let a terminal or pipe show with backslashes what it has no sign for, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_show(text: str) -> bool:
    """Tell whether the encoding of stdout has a sign for every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def show(result: T, print_result: Callable[[T], None], as_json: bool) -> None:
    """Print a result for people, or as JSON."""
    from ranklet.json_values import to_values

    if as_json:
        print_json(to_values(result))
    else:
        print_result(result)


def print_table(table: Table) -> None:
    """Print a table below its caption; what cannot be printed becomes a question mark."""
    from rich.table import Table as RichTable
    from rich.text import Text

    if table.caption:
        print_line(table.caption)
    grid = RichTable(box=None, pad_edge=False)
    for place, name in enumerate(table.columns):
        is_text = place == 0 or place in table.texts
        grid.add_column(Text(printable(name)), justify="left" if is_text else "right")
    for row in table.rows:
        grid.add_row(*(Text(printable(cell_text(cell))) for cell in row))
    print_rich(grid)


def cell_text(cell: Cell) -> str:
    """Write a cell of a table, what a page shows below it in brackets."""
    from ranklet.evaluation.intervals import Metric
    from ranklet.evaluation.report.table import Difference, Share

    match cell:
        case None:
            return ""
        case str():
            return cell.replace("\N{NARROW NO-BREAK SPACE}", " ")
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.4f}"
        case Share(value, digits):
            return f"{value:.{digits}%}"
        case Metric():
            return str(cell)
        case Difference(metric):
            points = [f"{100 * share:+.2f}" for share in (metric.value, *metric.interval)]
            return "{} [{}, {}]".format(*points)
        case (text, note):
            return f"{cell_text(text)} ({cell_text(note)})"


def print_rich(content: RenderableType) -> None:
    """Print what rich lays out: whole rows where nobody looks, as wide as the terminal else."""
    _stdout().print(content)


def progress_bar(state: str) -> Progress:
    """Return a bar on stderr, in a terminal only; beside it stands a format of rich's tasks."""
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
