"""ranklet predict: the verb, and a count of the texts while it works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line, progress_bar, report
from ranklet.vocabulary import LabelForm


def predict(
    model: options.ModelArgument,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Texts, in any format that is read.")
    ],
    output: Annotated[Path, typer.Option(help="File to write: csv, tsv or jsonl.")],
    text_column: options.TextColumnOption = None,
    set_: options.ReadingOption = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to write before the answer (repeat)."),
    ] = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    problem_type: options.ProblemTypeOption = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of every label.")
    ] = False,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write ID,Label with integer labels.")
    ] = False,
    sample: Annotated[
        Path | None,
        typer.Option(help="Write what a contest asks for, after its sample submission."),
    ] = None,
    label_form: Annotated[
        LabelForm | None, typer.Option(help="How labels are written; default: as in the sample.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Label of a single column of probabilities."),
    ] = None,
    rows: Annotated[
        Literal["sample", "test"] | None,
        typer.Option(help="Whose rows to write where the sample lacks some of the test file's."),
    ] = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    escape_formulas: options.EscapeFormulasOption = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the layers first, for long files.")
    ] = False,
) -> None:
    """Predict a label for every text of a file, in its order."""
    from ranklet.workflows.predict import Submission, predict

    if sample is None and (label_form or positive or rows):
        raise typer.BadParameter("--label-form, --positive and --rows go with --sample")
    if keep and (submission or sample):
        raise typer.BadParameter("--keep does not go with a submission, whose columns are fixed")
    contest = None if sample is None else Submission(str(sample), label_form, positive, rows)

    with progress_bar("{task.completed:,} texts") as bar:
        task = bar.add_task("predicting", total=None)
        texts = predict(
            options.model_source(model, encoder, label_names, device, precision, problem_type),
            source,
            output,
            columns=options.columns(text_column, settings=set_, keep=keep),
            all_probabilities=probabilities,
            submission=contest or submission,
            compile=compile,
            escape_formulas=escape_formulas,
            progress=lambda texts: bar.update(task, completed=texts),
        )
    report(f"{output}: {texts:,} texts")
    if contest is not None:
        print_submission(output)


def print_submission(output: Path) -> None:
    """Print how a submission writes the labels, and the command that hands it in."""
    from ranklet.run.folder import read_json

    record = read_json(output.with_suffix(".json"))
    for name, written in record["labels"].items():
        print_line(f"{name} is written {written}")
    file = shlex.quote(str(output))
    print_line(f"next: kaggle competitions submit -c COMPETITION -f {file} -m MESSAGE")
