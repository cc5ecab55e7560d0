"""Arguments and options that several verbs take, so that they are called and explained alike.

Each verb imports its workflow when it is called, so that `--help` stays instant; what its options
say is handed over as `model_source` and `columns` spell it, in one place for all verbs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ranklet.data.reading.columns import Columns
    from ranklet.run.model_source import ModelSource

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
ProblemType = Literal["single_label_classification", "multi_label_classification"]

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Built-in recipe, or a YAML file.")
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Your own data (file, folder, hub data set), or a recipe (built-in or .yaml).",
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="Folder of a run, of a PEFT adapter or of a classifier of transformers; or a hub id.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field, such as adapter.rank=4."),
]
TextOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Column of the text (repeat for several); default: found."),
]
LabelOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of the label; default: found.")
]
TestOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Test texts, for the final figures only.")
]
DataOption = Annotated[
    str | None, typer.Option(help="Labelled data; default: the test data of the run.")
]
TextColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        "--text-column",
        metavar="COLUMN",
        help="Column of the text (repeat for several); default: as in the run, else text.",
    ),
]
LabelColumnOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        "--label-column",
        metavar="COLUMN",
        help="Column of the label; default: as in the run, else label.",
    ),
]
ReadingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Read the data otherwise than the run, such as data.encoding=cp1252.",
    ),
]
EncoderOption = Annotated[
    str | None, typer.Option(help="Folder or hub id, instead of the encoder the adapter names.")
]
LabelNamesOption = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", help="Label names in order, for an adapter without them."),
]
ProblemTypeOption = Annotated[
    ProblemType | None,
    typer.Option(help="One label a text or several, for an adapter that does not say it."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
PrecisionOption = Annotated[
    Precision,
    typer.Option(help="Dtype of the frozen weights; auto: as the run says, else fastest."),
]
EscapeFormulasOption = Annotated[
    bool,
    typer.Option(
        "--escape-formulas",
        help="Put ' before cells of csv files that a spreadsheet would compute (= + - @).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to be read by a program.")]


def model_source(
    path: Path | None,
    encoder: str | None,
    label_names: str | None,
    device: Device,
    precision: Precision,
    problem_type: ProblemType | None = None,
) -> ModelSource:
    """Say which classifier is loaded, with which encoder and names, where and how precisely."""
    from ranklet.run.model_source import ModelSource

    return ModelSource(path, encoder, names_of(label_names), device, precision, problem_type)


def columns(
    text_column: list[str] | None,
    label_column: str | None = None,
    settings: list[str] | None = None,
    keep: list[str] | None = None,
) -> Columns:
    """Say which columns hold text and label, and how files are written; None: as in the run."""
    from ranklet.data.reading.columns import READING_FIELDS, Columns
    from ranklet.recipe.yaml_file import data_fields

    fields = data_fields(settings, READING_FIELDS) if settings else {}
    return Columns(text_column or None, label_column, keep=keep or (), fields=fields)


def stem_of(source: str) -> str:
    """Return what a run or a recipe is called after a file, a folder or a name."""
    return Path(source).resolve().stem or "data"


def names_of(text: str | None) -> list[str] | None:
    """Split `a,b` into names; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",")]
