"""The tables of an evaluation, for the page of a run and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.calibration import Calibration, ReliabilityBin, error_by_chance
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.table import Cell, Share, Table
from ranklet.evaluation.result import AVERAGE_SCORES, AVERAGES, SCORES, Evaluation
from ranklet.evaluation.selective import ChosenThreshold, Coverage
from ranklet.evaluation.slices import Slice
from ranklet.evaluation.wording import between, digits_for, or_dash, percent

MOST_CLASSES_AS_MATRIX = 20
MOST_CONFUSIONS = 30
_SCORE_NAMES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


def score_table(evaluation: Evaluation) -> Table:
    """List every score of an evaluation as a whole, those with intervals first."""
    digits = digits_for(evaluation.rows)
    scores = [
        (name, percent(metric.value, digits), f"{between(metric.interval, digits)}\u202f%")
        for name, metric in _shares(evaluation)
    ]
    agreements = [
        (name, f"{metric.value:.3f}", "{:.3f}\N{EN DASH}{:.3f}".format(*metric.interval))
        for name, metric in _agreements(evaluation)
    ]
    others = [(name, value, "") for name, value in _without_interval(evaluation)]
    return Table("Scores", ("score", "value", "95 % interval"), [*scores, *agreements, *others])


def class_table(evaluation: Evaluation) -> Table:
    """List the scores of every class, with the areas under its curves where there are any."""
    rows: list[list[Cell]] = [
        [entry.label, entry.support, *(getattr(entry, score) for score in SCORES)]
        for entry in evaluation.classes
    ]
    columns = ["class", "rows", "precision", "recall", "F1"]
    if evaluation.one_label is not None:
        columns += ["ROC-AUC", "PR-AUC"]
        for row, ranking in zip(rows, evaluation.one_label.ranking, strict=True):
            row += [ranking.roc_auc, ranking.average_precision]
    return Table(
        "Scores by class, with 95 % intervals",
        columns,
        rows,
        digits=digits_for(evaluation.rows),
        sorts=True,
    )


def mean_rows(evaluation: Evaluation) -> list[list[Cell]]:
    """List the means over the classes, as rows of the table of the classes."""
    sets, one_label = evaluation.label_sets, evaluation.one_label
    rows: list[list[Cell]] = []
    if sets is not None:
        rows.append(["micro mean", "", *(getattr(sets, f"{score}_micro") for score in SCORES)])
    for kind in AVERAGES:
        scores = [getattr(evaluation, f"{score}_{kind}") for score in SCORES]
        rows.append([f"{kind} mean", "", *scores])
    if one_label is not None:
        macro, weighted = rows
        macro += [one_label.roc_auc_macro, one_label.average_precision_macro]
        weighted += ["", ""]
    return rows


def confusion_table(evaluation: Evaluation) -> Table:
    """Show which labels are taken for which: a matrix, of many classes the largest confusions."""
    if evaluation.label_sets is not None:
        return _decisions(evaluation)
    if len(evaluation.labels) <= MOST_CLASSES_AS_MATRIX:
        return _confusion_matrix(evaluation)
    return _largest_confusions(evaluation)


def _decisions(evaluation: Evaluation) -> Table:
    """List what was decided about each label where a row may have several."""
    sets = evaluation.label_sets
    assert sets is not None, "one label a row has a confusion matrix"
    return Table(
        "Decisions by label: a row is given a label from its threshold on",
        ("label", "threshold", "given rightly", "given wrongly", "missed", "rightly not given"),
        [
            (label, float(threshold), *(int(count) for count in (tp, fp, fn, tn)))
            for label, threshold, (tn, fp, fn, tp) in zip(
                evaluation.labels, sets.thresholds, sets.confusion, strict=True
            )
        ],
    )


def _confusion_matrix(evaluation: Evaluation) -> Table:
    rows: list[list[Cell]] = []
    for name, counts in zip(evaluation.labels, evaluation.confusion, strict=True):
        total = max(sum(counts), 1)
        rows.append([name, *((int(count), Share(count / total)) for count in counts)])
    return Table(
        "Confusion: true class by row, predicted class by column",
        ("true \\ predicted", *evaluation.labels),
        rows,
        is_matrix=True,
    )


def _largest_confusions(evaluation: Evaluation) -> Table:
    pairs = [
        (rows, true, predicted, rows / sum(line))
        for true, line in zip(evaluation.labels, evaluation.confusion, strict=True)
        for predicted, rows in zip(evaluation.labels, line, strict=True)
        if rows and predicted != true
    ]
    largest = sorted(pairs, key=lambda pair: -pair[0])[:MOST_CONFUSIONS]
    return Table(
        "The most frequent confusions",
        ("true class", "predicted class", "rows", "of the true class"),
        [(true, predicted, int(n), Share(share)) for n, true, predicted, share in largest],
        texts=(1,),
    )


def calibration_table(calibration: Calibration, log_loss: float) -> Table:
    """Set the probabilities as they are against those of the logits as they are."""
    caption = (
        f"Before and after temperature {calibration.temperature:.3f} and exponent "
        f"{calibration.exponent:.3f}, fitted on validation"
    )
    if calibration.temperature == calibration.exponent == 1:
        caption = "Temperature 1: validation held nothing to fit another to"
    sides = (calibration.reliability_before, calibration.reliability)
    return Table(
        caption,
        ("", "before", "after"),
        [
            (
                "Expected calibration error",
                Share(calibration.error_before, 2),
                Share(calibration.error, 2),
            ),
            (
                "The same of perfect probabilities, by chance",
                *(Share(error_by_chance(bins), 2) for bins in sides),
            ),
            ("Log-loss, nats", calibration.log_loss_before, log_loss),
        ],
    )


def reliability_table(bins: Sequence[ReliabilityBin]) -> Table:
    """List how often rows of about the same confidence are right."""
    return Table(
        "Accuracy of the rows of about the same confidence",
        ("confidence", "rows", "mean confidence", "accuracy"),
        [
            (f"{place.low:.3f} to {place.high:.3f}", place.rows, place.confidence, place.accuracy)
            for place in bins
        ],
    )


def coverage_table(coverages: Sequence[Coverage], rows: int) -> Table:
    """List the accuracy where only the surest rows are answered."""
    return Table(
        "Accuracy where only the surest rows are answered",
        ("answered", "rows", "threshold", "accuracy"),
        [
            (Share(point.coverage), point.rows, point.threshold, point.accuracy)
            for point in coverages
        ],
        digits=digits_for(rows),
    )


def threshold_table(threshold: ChosenThreshold, split: str, rows: int) -> Table:
    """Set what a chosen threshold gives here against what it gave on validation."""
    answered = {"validation, where it was chosen": threshold.validation, split: threshold.here}
    return Table(
        f"Answering from confidence {threshold.here.threshold:.4f} on, chosen for an accuracy of"
        f" {percent(threshold.wanted)}",
        ("rows of", "answered", "accuracy"),
        [(name, Share(point.coverage), point.accuracy) for name, point in answered.items()],
        digits=digits_for(rows),
    )


def slice_tables(slices: Sequence[Slice], rows: int) -> dict[str, Table]:
    """List the accuracy on parts of the rows, a table for each way to tell them apart."""
    return {
        way: Table(
            f"Accuracy by {way}",
            (way, "rows", "accuracy"),
            [(part.value, part.rows, part.accuracy) for part in slices if part.by == way],
            digits=digits_for(rows),
            sorts=True,
        )
        for way in dict.fromkeys(part.by for part in slices)
    }


def _shares(evaluation: Evaluation) -> Iterator[tuple[str, Metric]]:
    yield evaluation.accuracy_name.capitalize(), evaluation.accuracy
    sets, one_label = evaluation.label_sets, evaluation.one_label
    if sets is not None:
        for score in SCORES:
            yield f"{_SCORE_NAMES[score]}, micro", getattr(sets, f"{score}_micro")
    for name in AVERAGE_SCORES:
        score, kind = name.split("_")
        if name != "recall_weighted":  # it is the accuracy, or the micro recall
            yield f"{_SCORE_NAMES[score]}, {kind}", getattr(evaluation, name)
    if sets is not None:
        yield "Hamming loss", sets.hamming_loss
    if one_label is not None:
        for top in one_label.top:
            yield f"Among the {top.k} most probable", top.accuracy


def _agreements(evaluation: Evaluation) -> Iterator[tuple[str, Metric]]:
    if evaluation.one_label is not None:
        yield "Matthews correlation", evaluation.one_label.matthews
        yield "Cohen\N{RIGHT SINGLE QUOTATION MARK}s kappa", evaluation.one_label.kappa


def _without_interval(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    yield "Log-loss, nats", f"{evaluation.log_loss:.4f}"
    one_label = evaluation.one_label
    if one_label is not None:
        yield "Brier score, 0 to 2", f"{one_label.brier:.4f}"
        yield "ROC-AUC, macro", _area(one_label.roc_auc_macro)
        yield "PR-AUC, macro", _area(one_label.average_precision_macro)
        yield "Expected calibration error", _with_chance(one_label.calibration)


def _with_chance(calibration: Calibration) -> str:
    by_chance = error_by_chance(calibration.reliability)
    return f"{percent(calibration.error, 2)} ({percent(by_chance, 2)} by chance)"


def _area(value: float | None) -> str:
    return or_dash("{:.4f}".format, value)


def headline_rows(
    evaluation: Evaluation, baselines: tuple[Baseline, ...]
) -> list[tuple[str, Metric, Metric]]:
    """List name, accuracy and macro F1 of this run and of the baselines, best accuracy first."""
    rows = [
        ("this run", evaluation.accuracy, evaluation.f1_macro),
        *((baseline.name, baseline.accuracy, baseline.f1_macro) for baseline in baselines),
    ]
    return sorted(rows, key=lambda row: -row[1].value)
