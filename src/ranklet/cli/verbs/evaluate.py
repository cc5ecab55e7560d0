"""ranklet evaluate: the verb, and every figure of an evaluation with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line, print_table, show

if TYPE_CHECKING:
    from ranklet.evaluation.result import Evaluation
    from ranklet.evaluation.selective import Coverage


def evaluate(
    model: options.ModelArgument,
    data: options.DataOption = None,
    text_column: options.TextColumnOption = None,
    label_column: options.LabelColumnOption = None,
    set_: options.ReadingOption = None,
    encoder: options.EncoderOption = None,
    label_names: options.LabelNamesOption = None,
    problem_type: options.ProblemTypeOption = None,
    details: Annotated[
        bool, typer.Option("--details", help="Print calibration, coverage and parts of the texts.")
    ] = False,
    slice_by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Tell texts apart by a column (repeat for several)."),
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Find the confidence above which it is reached."),
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(help="csv file to write with the texts labelled wrong.")
    ] = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Evaluate a classifier: every figure with its 95 % interval."""
    from ranklet.workflows.evaluate import evaluate

    evaluation = evaluate(
        options.model_source(model, encoder, label_names, device, precision, problem_type),
        data,
        columns=options.columns(text_column, label_column, set_),
        slice_by=slice_by or (),
        accuracy=accuracy,
        errors=errors,
    )
    show(evaluation, partial(print_evaluation, details=details, slice_by=slice_by or ()), json)


def print_evaluation(
    evaluation: Evaluation, details: bool = False, slice_by: Sequence[str] = ()
) -> None:
    """Print the figures of an evaluation with their 95 % intervals.

    Args:
        evaluation: The figures.
        details: Print reliability, coverage and all slices too.
        slice_by: Columns whose slices are printed in any case.
    """
    from ranklet.evaluation.report import tables

    print_line(f"{evaluation.split}: {evaluation.rows:,} texts, 95 % intervals in brackets")
    print_line(f"{evaluation.accuracy_name}  {evaluation.accuracy}")
    for line in _one_label_lines(evaluation):
        print_line(line)
    if evaluation.label_sets is not None:
        print_line(f"Hamming loss  {evaluation.label_sets.hamming_loss}")
    classes = tables.class_table(evaluation)
    print_table(replace(classes, rows=[*classes.rows, *tables.mean_rows(evaluation)]))
    print_table(tables.confusion_table(evaluation))
    if details and evaluation.one_label is not None:
        print_table(tables.coverage_table(evaluation.one_label.coverage, evaluation.rows))
        print_table(tables.reliability_table(evaluation.one_label.calibration.reliability))
    for way, table in tables.slice_tables(evaluation.slices or (), evaluation.rows).items():
        if details or way in slice_by:
            print_table(table)


def _one_label_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the figures that take a line each, where a text has one label."""
    from ranklet.evaluation.calibration import error_by_chance

    figures = evaluation.one_label
    if figures is None:
        return
    for top in figures.top:
        yield f"top-{top.k} accuracy  {top.accuracy}"
    yield f"Matthews correlation  {figures.matthews}"
    yield f"Cohen's kappa  {figures.kappa}"
    if figures.roc_auc_macro is not None and figures.average_precision_macro is not None:
        yield (
            f"ROC-AUC {figures.roc_auc_macro:.4f}, PR-AUC {figures.average_precision_macro:.4f}, "
            "each class against the rest, macro mean"
        )
    calibration = figures.calibration
    yield (
        f"log loss {evaluation.log_loss:.4f}, Brier score {figures.brier:.4f}, calibration error "
        f"{calibration.error:.4f} (perfect probabilities would have "
        f"{error_by_chance(calibration.reliability):.4f})"
    )
    if calibration.temperature != 1.0:
        yield (
            f"before temperature {calibration.temperature:.3f} and exponent "
            f"{calibration.exponent:.3f}: log loss {calibration.log_loss_before:.4f}, calibration "
            f"error {calibration.error_before:.4f}"
        )
    threshold = evaluation.threshold
    if threshold is not None:
        yield (
            f"confidence from {threshold.here.threshold:.4f} on, for {threshold.wanted:.2%}: "
            f"{_answered(threshold.here)} here; {_answered(threshold.validation)} on validation"
        )


def _answered(coverage: Coverage) -> str:
    accuracy = "nothing" if coverage.accuracy is None else str(coverage.accuracy)
    return f"{accuracy} on {coverage.coverage:.1%} of the texts"
