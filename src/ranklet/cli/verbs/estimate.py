"""ranklet estimate: the verb, and the accuracy to expect with what it builds on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line, report, show

if TYPE_CHECKING:
    from ranklet.evaluation.unlabelled.result import Estimate


def estimate(
    model: options.ModelArgument,
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="UNLABELLED", help="New texts, in any format that is read; no labels."
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
    text_column: options.TextColumnOption = None,
    set_: options.ReadingOption = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Estimate the accuracy on new texts without labels, with a 95 % interval."""
    from ranklet.workflows.estimate import estimate

    result = estimate(
        options.model_source(model, encoder, label_names, device, precision),
        texts,
        others=[
            options.model_source(other, encoder, label_names, device, precision)
            for other in with_ or ()
        ],
        validation=validation,
        columns=options.columns(text_column, settings=set_),
        report=report,
    )
    show(result, partial(print_estimate, texts=texts), json)


def print_estimate(estimate: Estimate, texts: Path) -> None:
    """Print an estimate: the figure, what it builds on, and a warning where there is one."""
    low, high = estimate.interval
    print_line(
        f"expected accuracy  {estimate.accuracy:.2%} [{low:.2%}, {high:.2%}] on {texts}, "
        f"{estimate.rows:,} texts without labels"
    )
    validation = estimate.validation
    low, high = validation.interval
    print_line(
        f"known accuracy     {validation.value:.2%} [{low:.2%}, {high:.2%}] on validation, "
        f"{estimate.validation_rows:,} texts"
    )
    if estimate.told_apart is not None:
        print_line(
            f"source             a new text is told from a validation text in "
            f"{estimate.told_apart:.0%} of pairs (50% is chance)"
        )
    for name, value in estimate.estimators.items():
        print_line(f"  {name:<33} {value:.2%}")
    if estimate.warning is not None:
        print_line(f"warning: {estimate.warning}")
