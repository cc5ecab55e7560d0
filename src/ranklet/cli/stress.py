"""ranklet stress: the verb and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import render
from ranklet.cli.evaluation_tables import with_interval
from ranklet.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LabelColumnOption,
    LabelsOption,
    ModelArgument,
    PrecisionOption,
    TextColumnOption,
    names_of,
)

if TYPE_CHECKING:
    from ranklet.evaluation.stress import Stress, Sureness


def stress(
    model: ModelArgument,
    data: Annotated[
        str | None, typer.Option(help="Labelled data; default: the test data of the run.")
    ] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
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
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Measure a classifier under typos, capitals, cut texts, HTML remains and other shifts."""
    from ranklet.evaluation.json_values import to_values
    from ranklet.workflows.stress import STRENGTHS, stress

    found = stress(
        model,
        data,
        text_column=text_column or None,
        label_column=label_column,
        encoder=encoder,
        label_names=names_of(labels),
        kinds=names_of(kinds),
        strengths=STRENGTHS if strengths is None else _numbers(strengths),
        rows=rows,
        seed=seed,
        device=device,
        precision=precision,
        observe=lambda line: typer.echo(line, err=True),
    )
    if json:
        render.print_json(to_values(found))
    else:
        print_stress(found)


def print_stress(stress: Stress) -> None:
    """Print what shifts did: the clean texts, then each kind at each strength."""
    typer.echo(
        f"{stress.source}: {stress.rows:,} of {stress.of_rows:,} texts, 95 % intervals in "
        "brackets; differences are paired, text by text"
    )
    table = [["clean", "", "", with_interval(stress.accuracy), "", "", *_sureness(stress.sureness)]]
    table += [
        [
            point.kind,
            f"{point.strength:g}",
            f"{point.changed:,}",
            with_interval(point.accuracy),
            with_interval(point.difference, "+"),
            f"{point.flipped:,}",
            *_sureness(point.sureness),
        ]
        for point in stress.points
    ]
    columns = ["shift", "strength", "changed", stress.accuracy_name, "difference", "flipped"]
    render.print_rows([*columns, "confidence", "calibration error"], table)


def _sureness(found: Sureness | None) -> list[str]:
    if found is None:
        return ["", ""]
    return [f"{found.confidence:.4f}", f"{found.calibration_error:.4f}"]


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        problem = f"{text!r} is not a list of numbers such as 0.1,0.5"
        raise typer.BadParameter(problem, param_hint="--strengths") from None
