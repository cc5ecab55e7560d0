"""ranklet predict: the verb, and a count of the texts while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import progress_bar, report


def predict(
    model: options.ModelArgument,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Texts: csv, tsv, jsonl, parquet or txt.")
    ],
    output: Annotated[Path, typer.Option(help="File to write: csv, tsv or jsonl.")],
    text_column: options.TextColumnOption = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of every label.")
    ] = False,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write ID,Label with integer labels.")
    ] = False,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    escape_formulas: options.EscapeFormulasOption = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the layers first, for long files.")
    ] = False,
) -> None:
    """Predict a label for every text of a file, in its order."""
    from ranklet.workflows.predict import predict

    with progress_bar("{task.completed:,} texts") as bar:
        task = bar.add_task("predicting", total=None)
        texts = predict(
            options.model_source(model, encoder, label_names, device, precision),
            source,
            output,
            columns=options.columns(text_column),
            all_probabilities=probabilities,
            submission=submission,
            compile=compile,
            escape_formulas=escape_formulas,
            progress=lambda texts: bar.update(task, completed=texts),
        )
    report(f"{output}: {texts:,} texts")
