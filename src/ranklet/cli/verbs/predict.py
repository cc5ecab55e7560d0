"""ranklet predict: the verb, and a count of the texts while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ranklet.cli.options import (
    DeviceOption,
    EncoderOption,
    LabelNamesOption,
    ModelArgument,
    PrecisionOption,
    TextColumnOption,
    columns,
    model_source,
)
from ranklet.cli.terminal import progress_bar, report


def predict(
    model: ModelArgument,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Texts: csv, tsv, jsonl, parquet or txt.")
    ],
    output: Annotated[Path, typer.Option(help="File to write: csv, tsv or jsonl.")],
    text_column: TextColumnOption = None,
    encoder: EncoderOption = None,
    label_names: LabelNamesOption = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of every label.")
    ] = False,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write ID,Label with integer labels.")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the layers first, for long files.")
    ] = False,
) -> None:
    """Predict a label for every text of a file, in its order."""
    from ranklet.workflows.predict import predict

    with progress_bar("{task.completed:,} texts") as bar:
        task = bar.add_task("predicting", total=None)
        texts = predict(
            model_source(model, encoder, label_names, device, precision),
            source,
            output,
            columns=columns(text_column),
            all_probabilities=probabilities,
            submission=submission,
            compile=compile,
            progress=lambda texts: bar.update(task, completed=texts),
        )
    report(f"{output}: {texts:,} texts")
