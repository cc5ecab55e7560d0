"""ranklet compare: the verb, the table of the runs, and what is noise between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_json, print_line, print_table, report

if TYPE_CHECKING:
    from ranklet.evaluation.comparison.verdicts import Comparison


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN...",
            help="Folders of runs or of train --seeds; any other classifier to compare them with.",
        ),
    ],
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Whose texts; choose by validation.")
    ] = "test",
    out: Annotated[Path | None, typer.Option(help="HTML file to write: one page.")] = None,
    target: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Texts without labels: which run to expect most of."),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Compare runs on the same texts; tell which differences are noise."""
    from ranklet.json_values import to_values
    from ranklet.workflows.compare import compare

    comparison = compare(runs, split=split, out=out, target=target, report=report)
    if json:
        print_json(to_values(comparison))
        return
    print_comparison(comparison)
    if out is not None:
        print_line(f"page: {out}")


def print_comparison(comparison: Comparison) -> None:
    """Print a table of the runs, a line for each pair, and what to mind."""
    from ranklet.evaluation.comparison.verdicts import choice_in_words
    from ranklet.evaluation.report.comparison_tables import entry_table, estimate_table

    print_line(f"{comparison.split}, {comparison.rows:,} rows")
    print_table(entry_table(comparison))
    print_line()
    for pair in comparison.pairs:
        print_line(pair.sentence)
    if comparison.estimates:
        print_line()
        print_table(estimate_table(comparison.estimates))
        print_line(choice_in_words(comparison.estimates))
    print_line()
    for note in comparison.notes:
        print_line(note)
