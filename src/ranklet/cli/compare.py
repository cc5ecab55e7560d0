"""ranklet compare: the verb and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli import render
from ranklet.cli.evaluation_tables import with_interval
from ranklet.cli.options import JsonOption

if TYPE_CHECKING:
    from ranklet.evaluation.comparison.verdicts import Comparison, Entry


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", help="Folders of runs, or of train --seeds."),
    ],
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Whose texts; choose by validation.")
    ] = "test",
    out: Annotated[Path | None, typer.Option(help="HTML file to write: one page.")] = None,
    target: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Texts without labels: which run to expect most of."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare runs on the same texts; tell which differences are noise."""
    from ranklet.evaluation.json_values import to_values
    from ranklet.workflows.compare import compare

    found = compare(
        runs, split=split, out=out, target=target, observe=lambda line: typer.echo(line, err=True)
    )
    if json:
        render.print_json(to_values(found))
        return
    print_comparison(found)
    if out is not None:
        typer.echo(f"page: {out}")


def print_comparison(comparison: Comparison) -> None:
    """Print a table of the runs, a line for each pair, and what to mind."""
    fields = dict.fromkeys(name for entry in comparison.entries for name in entry.fields)
    columns = [comparison.accuracy_name, "macro F1", "parameters", "seconds", *fields]
    rows = [
        [*_figures(entry), *(entry.fields.get(name, "") for name in fields)]
        for entry in comparison.entries
    ]
    render.print_rows([f"{comparison.split}, {comparison.rows:,} rows", *columns], rows)
    typer.echo("")
    for pair in comparison.pairs:
        typer.echo(render.printable(pair.sentence))
    if comparison.estimates:
        from ranklet.evaluation.comparison.verdicts import choice_in_words

        typer.echo("\nexpected accuracy on the target, by its 95 % interval")
        for name, found in comparison.estimates.items():
            low, high = found.interval
            typer.echo(render.printable(f"  {name}  {found.accuracy:.4f} [{low:.4f}, {high:.4f}]"))
        typer.echo(render.printable(choice_in_words(comparison.estimates)))
    typer.echo("")
    for note in comparison.notes:
        typer.echo(note)


def _figures(entry: Entry) -> list[str]:
    seeds = len(entry.seeds)
    return [
        entry.name if seeds == 1 else f"{entry.name} ({seeds} seeds)",
        with_interval(entry.accuracy),
        with_interval(entry.f1_macro),
        f"{entry.parameters:,}",
        "" if entry.seconds is None else f"{entry.seconds:,.0f}",
    ]
