"""ranklet estimate: the verb and its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import render
from ranklet.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LabelsOption,
    ModelArgument,
    PrecisionOption,
    TextColumnOption,
    names_of,
)

if TYPE_CHECKING:
    from ranklet.evaluation.unlabelled.result import Estimate


def estimate(
    model: ModelArgument,
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="UNLABELLED", help="New texts: csv, tsv, jsonl, parquet or txt; no labels."
        ),
    ],
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with", metavar="RUN", help="Run of another seed, to agree or not (repeat for more)."
        ),
    ] = None,
    validation: Annotated[
        str | None,
        typer.Option(help="Labelled texts it was not trained on; default: the run's validation."),
    ] = None,
    text_column: TextColumnOption = None,
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Estimate the accuracy on new texts without labels, with a 95 % interval."""
    from ranklet.evaluation.json_values import to_values
    from ranklet.workflows.estimate import estimate

    found = estimate(
        model,
        texts,
        others=with_ or (),
        validation=validation,
        text_column=text_column or None,
        encoder=encoder,
        label_names=names_of(labels),
        device=device,
        precision=precision,
        observe=lambda line: typer.echo(line, err=True),
    )
    if json:
        render.print_json(to_values(found))
    else:
        print_estimate(found, texts)


def print_estimate(estimate: Estimate, texts: Path) -> None:
    """Print an estimate: the figure, what it builds on, and a warning where there is one."""
    low, high = estimate.interval
    typer.echo(
        f"expected accuracy  {estimate.accuracy:.2%} [{low:.2%}, {high:.2%}] on {texts}, "
        f"{estimate.rows:,} texts without labels"
    )
    known = estimate.validation
    low, high = known.interval
    typer.echo(
        f"known accuracy     {known.value:.2%} [{low:.2%}, {high:.2%}] on validation, "
        f"{estimate.validation_rows:,} texts"
    )
    for name, value in estimate.estimators.items():
        typer.echo(f"  {name:<33} {value:.2%}")
    if estimate.warning is not None:
        typer.echo(f"warning: {estimate.warning}")
