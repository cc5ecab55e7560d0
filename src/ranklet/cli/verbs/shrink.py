"""ranklet shrink: the verb, and what a smaller adapter holds and reaches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line, show

if TYPE_CHECKING:
    from ranklet.workflows.shrink import ShrinkResult


def shrink(
    model: options.ModelArgument,
    budget: Annotated[int, typer.Option(min=1, help="Most trained parameters, head included.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be vacant.")],
    data: Annotated[
        str | None,
        typer.Option(help="Labelled data to measure on; default: validation texts of the run."),
    ] = None,
    text_column: options.TextColumnOption = None,
    label_column: options.LabelColumnOption = None,
    set_: options.ReadingOption = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    problem_type: options.ProblemTypeOption = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Cut a trained adapter to a smaller budget by its singular values."""
    from ranklet.workflows.shrink import shrink

    result = shrink(
        options.model_source(model, encoder, label_names, device, precision, problem_type),
        budget,
        out,
        data,
        columns=options.columns(text_column, label_column, set_),
    )
    show(result, print_shrinking, json)


def print_shrinking(result: ShrinkResult) -> None:
    """Print what a shrunk adapter holds, and its figures before and after."""
    (before, after), (modules, left) = result.parameters, result.modules
    print_line(f"parameters: {before:,} before, {after:,} after")
    print_line(f"adapted modules: {modules} before, {left} after")
    print_line(f"kept of the squared singular values: {result.kept_energy:.1%}")
    print_line(f"validation: {result.validation}")
    for name, evaluation in (("before", result.before), ("after", result.after)):
        if evaluation is not None:
            accuracy = f"{evaluation.accuracy_name} {evaluation.accuracy}"
            print_line(f"{name:<6}  {accuracy}, loss {evaluation.log_loss:.4f}")
    print_line(f"folder: {result.folder}")
