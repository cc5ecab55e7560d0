"""What is printed of an evaluation beside its scores and its confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from ranklet.evaluation.calibration import ReliabilityBin
    from ranklet.evaluation.intervals import Metric
    from ranklet.evaluation.result import Evaluation
    from ranklet.evaluation.selective import Coverage
    from ranklet.evaluation.slices import Slice


def with_interval(metric: Metric, sign: str = "") -> str:
    """Write a figure and its interval, all with their sign where `sign` is a plus."""
    return f"{metric:{sign}.4f}"


def further_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the figures that take a line each, where a text has one label."""
    found = evaluation.one_label
    if found is None:
        return
    for top in found.top:
        yield f"top-{top.k} accuracy  {with_interval(top.accuracy)}"
    yield f"Matthews correlation  {with_interval(found.matthews)}"
    yield f"Cohen's kappa  {with_interval(found.kappa)}"
    if found.roc_auc_macro is not None and found.average_precision_macro is not None:
        yield (
            f"ROC-AUC {found.roc_auc_macro:.4f}, PR-AUC {found.average_precision_macro:.4f}, "
            "each class against the rest, macro mean"
        )
    calibration = found.calibration
    yield (
        f"log loss {evaluation.log_loss:.4f}, Brier score {found.brier:.4f}, calibration error "
        f"{calibration.error:.4f}"
    )
    if calibration.temperature != 1.0:
        yield (
            f"before the temperature {calibration.temperature:.3f}: log loss "
            f"{calibration.log_loss_before:.4f}, calibration error {calibration.error_before:.4f}"
        )
    chosen = evaluation.threshold
    if chosen is not None:
        yield (
            f"confidence from {chosen.here.threshold:.4f} on, for {chosen.wanted:.2%}: "
            f"{_answered(chosen.here)} here; {_answered(chosen.validation)} on validation"
        )


def further_tables(
    evaluation: Evaluation, details: bool, slice_by: Sequence[str]
) -> Iterator[Table]:
    """Yield the tables that were asked for: all of them, or the slices by some columns.

    Args:
        evaluation: The figures.
        details: Whether all were.
        slice_by: The columns.
    """
    if details and evaluation.one_label is not None:
        yield _coverage_table(evaluation.one_label.coverage)
        yield _reliability_table(evaluation.one_label.calibration.reliability)
    for by, slices in groupby(evaluation.slices or (), key=lambda each: each.by):
        if details or by in slice_by:
            yield _slice_table(by, list(slices))


def _answered(found: Coverage) -> str:
    reached = "nothing" if found.accuracy is None else with_interval(found.accuracy)
    return f"{reached} on {found.coverage:.1%} of the texts"


def _coverage_table(coverage: Sequence[Coverage]) -> Table:
    table = _table("surest texts", "texts", "confidence from", "accuracy")
    for each in coverage:
        accuracy = "" if each.accuracy is None else with_interval(each.accuracy)
        table.add_row(f"{each.coverage:.1%}", f"{each.rows:,}", f"{each.threshold:.4f}", accuracy)
    return table


def _reliability_table(bins: Sequence[ReliabilityBin]) -> Table:
    table = _table("confidence", "texts", "mean confidence", "accuracy")
    for each in bins:
        place = f"{each.low:.3f} to {each.high:.3f}"
        table.add_row(
            place, f"{each.rows:,}", f"{each.confidence:.4f}", with_interval(each.accuracy)
        )
    return table


def _slice_table(by: str, slices: Sequence[Slice]) -> Table:
    from rich.text import Text

    table = _table(by, "texts", "accuracy")
    for each in slices:
        table.add_row(Text(each.value), f"{each.rows:,}", with_interval(each.accuracy))
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(Text(first))
    for name in others:
        table.add_column(name, justify="right")
    return table
