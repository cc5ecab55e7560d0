"""ranklet stress: the verb, and the table of what each shift did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line, print_table, report, show

if TYPE_CHECKING:
    from ranklet.evaluation.stress import Stress


def stress(
    model: options.ModelArgument,
    data: options.DataOption = None,
    text_column: options.TextColumnOption = None,
    label_column: options.LabelColumnOption = None,
    set_: options.ReadingOption = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    problem_type: options.ProblemTypeOption = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Shifts: typos, lower, upper, truncation, word_drops, entities, reverse; "
            "default: all.",
        ),
    ] = None,
    strengths: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER,NUMBER",
            help="Above 0 and at most 1; default: 0.1,0.25,0.5,1.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Texts drawn from the data.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Decides rows and changes.")] = 0,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Measure a classifier under typos, capitals, cut texts, HTML remains and other shifts."""
    from ranklet.workflows.stress import STRENGTHS, stress

    result = stress(
        options.model_source(model, encoder, label_names, device, precision, problem_type),
        data,
        columns=options.columns(text_column, label_column, set_),
        kinds=options.names_of(kinds),
        strengths=STRENGTHS if strengths is None else _numbers(strengths),
        rows=rows,
        seed=seed,
        report=report,
    )
    show(result, print_stress, json)


def print_stress(stress: Stress) -> None:
    """Print what shifts did: the clean texts, then each kind at each strength."""
    from ranklet.evaluation.report.stress_section import stress_table

    print_line(
        f"{stress.source}: {stress.rows:,} of {stress.of_rows:,} texts, 95 % intervals in "
        "brackets; differences are paired, text by text"
    )
    print_table(stress_table(stress))


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        message = f"{text!r} is not a list of numbers such as 0.1,0.5"
        raise typer.BadParameter(message, param_hint="--strengths") from None
