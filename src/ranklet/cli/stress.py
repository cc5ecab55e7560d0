"""ranklet stress: the verb and its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli import render

if TYPE_CHECKING:
    from ranklet.evaluation.metrics import Metric
    from ranklet.evaluation.stress import Stress, Sureness


def stress(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or of a PEFT adapter.")],
    data: Annotated[
        str | None, typer.Option(help="Labelled data; default: the test data of the run.")
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of the text (repeat for several); default: as in the run, else text."
        ),
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of the label; default: as in the run, else label.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Folder or hub id, instead of the encoder the adapter names."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME", help="Label names in order, for an adapter without them."
        ),
    ] = None,
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
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")
    ] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Dtype of the frozen weights.")
    ] = "auto",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON to be read by a program.")
    ] = False,
) -> None:
    """Measure a classifier under typos, capitals, cut texts, HTML remains and other shifts."""
    from ranklet.evaluation.stress import to_json
    from ranklet.workflows.stress import STRENGTHS, stress

    found = stress(
        model,
        data,
        text_column=text_column or None,
        label_column=label_column,
        encoder=encoder,
        label_names=_names(labels),
        kinds=_names(kinds),
        strengths=STRENGTHS if strengths is None else _numbers(strengths),
        rows=rows,
        seed=seed,
        device=device,
        precision=precision,
        observe=lambda line: typer.echo(line, err=True),
    )
    if json:
        render.print_json(to_json(found))
    else:
        print_stress(found)


def print_stress(stress: Stress) -> None:
    """Print what shifts did: the clean texts, then each kind at each strength."""
    typer.echo(
        f"{stress.source}: {stress.rows:,} of {stress.of_rows:,} texts, 95 % intervals in "
        "brackets; differences are paired, text by text"
    )
    table = [["clean", "", "", _share(stress.accuracy), "", "", *_sureness(stress.sureness)]]
    table += [
        [
            point.kind,
            f"{point.strength:g}",
            f"{point.changed:,}",
            _share(point.accuracy),
            _share(point.difference, "+"),
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


def _share(metric: Metric, sign: str = "") -> str:
    low, high = metric.interval
    return f"{metric.value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        problem = f"{text!r} is not a list of numbers such as 0.1,0.5"
        raise typer.BadParameter(problem, param_hint="--strengths") from None
