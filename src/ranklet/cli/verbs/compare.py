"""ranklet compare: the verb, the table of the runs, and what is noise between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli.options import JsonOption
from ranklet.cli.terminal import print_json, print_line, print_table, report, with_interval

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

    comparison = compare(runs, split=split, out=out, target=target, observe=report)
    if json:
        print_json(to_values(comparison))
        return
    print_comparison(comparison)
    if out is not None:
        print_line(f"page: {out}")


def print_comparison(comparison: Comparison) -> None:
    """Print a table of the runs, a line for each pair, and what to mind."""
    fields = dict.fromkeys(name for entry in comparison.entries for name in entry.fields)
    columns = [comparison.accuracy_name, "macro F1", "parameters", "seconds", *fields]
    rows = [
        [*_figures(entry), *(entry.fields.get(name, "") for name in fields)]
        for entry in comparison.entries
    ]
    print_table([f"{comparison.split}, {comparison.rows:,} rows", *columns], rows)
    print_line()
    for pair in comparison.pairs:
        print_line(pair.sentence)
    if comparison.estimates:
        from ranklet.evaluation.comparison.verdicts import choice_in_words

        print_line()
        print_line("expected accuracy on the target, by its 95 % interval")
        for name, estimate in comparison.estimates.items():
            low, high = estimate.interval
            print_line(f"  {name}  {estimate.accuracy:.4f} [{low:.4f}, {high:.4f}]")
        print_line(choice_in_words(comparison.estimates))
    print_line()
    for note in comparison.notes:
        print_line(note)


def _figures(entry: Entry) -> list[str]:
    seeds = len(entry.seeds)
    return [
        entry.name if seeds == 1 else f"{entry.name} ({seeds} seeds)",
        with_interval(entry.accuracy),
        with_interval(entry.f1_macro),
        f"{entry.parameters:,}",
        "" if entry.seconds is None else f"{entry.seconds:,.0f}",
    ]
