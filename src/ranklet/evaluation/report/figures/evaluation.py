"""Every figure of an evaluation."""

from __future__ import annotations

from ranklet.evaluation.curves import Curves
from ranklet.evaluation.report.figures.classes import accuracy_by_slice, class_bars
from ranklet.evaluation.report.figures.confidence import confidence, coverage, reliability
from ranklet.evaluation.report.figures.confusion import confusion_counts, confusion_shares
from ranklet.evaluation.report.figures.drawing import Drawing, figure_name
from ranklet.evaluation.report.figures.ranking import precision_recall_curves, roc_curves
from ranklet.evaluation.result import Evaluation


def evaluation_figures(evaluation: Evaluation, curves: Curves | None = None) -> dict[str, Drawing]:
    """Prepare the figures of an evaluation; the names start with its split.

    Args:
        evaluation: Its numbers: scores by class, and the confusions of one label a text.
        curves: Of the same rows; None: none of the figures on probabilities and parts.
    """
    drawings = {"class_bars": class_bars(evaluation.classes)}
    if evaluation.label_sets is None:
        drawings |= {
            "confusion_counts": confusion_counts(evaluation.confusion, evaluation.labels),
            "confusion_shares": confusion_shares(evaluation.confusion, evaluation.labels),
        }
    if curves is not None:
        drawings |= _further_figures(evaluation, curves)
    return {figure_name(evaluation.split, kind): drawing for kind, drawing in drawings.items()}


def _further_figures(evaluation: Evaluation, curves: Curves) -> dict[str, Drawing]:
    drawings = {"roc": roc_curves(curves), "precision_recall": precision_recall_curves(curves)}
    if evaluation.one_label is not None:
        drawings["reliability"] = reliability(evaluation.one_label.calibration)
        drawings["confidence"] = confidence(curves.confidence)
        drawings["coverage"] = coverage(curves.coverage)
    drawings["slices"] = accuracy_by_slice(evaluation.slices or (), evaluation.accuracy)
    return {kind: drawing for kind, drawing in drawings.items() if drawing.numbers.series}
