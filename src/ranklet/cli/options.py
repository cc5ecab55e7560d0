"""Arguments and options that several verbs take, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ModelArgument = Annotated[Path, typer.Argument(help="Folder of a run, or of a PEFT adapter.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to be read by a program.")]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")]
PrecisionOption = Annotated[
    Literal["auto", "float32", "bfloat16"], typer.Option(help="Dtype of the frozen weights.")
]
TextColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of the text (repeat for several); default: as in the run, else text."
    ),
]
LabelColumnOption = Annotated[
    str | None, typer.Option(help="Column of the label; default: as in the run, else label.")
]
EncoderOption = Annotated[
    str | None, typer.Option(help="Folder or hub id, instead of the encoder the adapter names.")
]
LabelsOption = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", help="Label names in order, for an adapter without them."),
]


def names_of(text: str | None) -> list[str] | None:
    """Split `a,b` into names; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",")]
