"""The tables of an evaluation on the page of a run: from figures to words and numbers."""

from __future__ import annotations

from collections.abc import Iterator

from ranklet.evaluation.baselines import Baseline
from ranklet.evaluation.calibration import Calibration
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.report.page import Cell, Table
from ranklet.evaluation.result import AVERAGES, SCORES, Evaluation
from ranklet.evaluation.selective import ChosenThreshold, Coverage
from ranklet.evaluation.slices import Slice
from ranklet.evaluation.wording import between, digits_for, or_dash, percent

MOST_CLASSES_AS_MATRIX = 20
MOST_CONFUSIONS = 30
_SCORE_NAMES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


def with_interval(metric: Metric, digits: int) -> Cell:
    """Write a score as a percentage, its interval below it."""
    return percent(metric.value, digits), between(metric.interval, digits)


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
    digits, one_label = digits_for(evaluation.rows), evaluation.one_label
    rows: list[list[Cell]] = [
        [
            entry.label,
            f"{entry.support:,}",
            *(with_interval(getattr(entry, score), digits) for score in SCORES),
        ]
        for entry in evaluation.classes
    ]
    columns = ["class", "rows", "precision", "recall", "F1"]
    if one_label is not None:
        columns += ["ROC-AUC", "PR-AUC"]
        for row, ranking in zip(rows, one_label.ranking, strict=True):
            row += [_area(ranking.roc_auc), _area(ranking.average_precision)]
    return Table("Scores by class, with 95 % intervals", columns, rows, sorts=True)


def decision_table(evaluation: Evaluation) -> Table:
    """List what was decided about each label where a row may have several."""
    sets = evaluation.label_sets
    assert sets is not None, "one label a row has a confusion matrix"
    rows = [
        (label, f"{threshold:.4f}", *(f"{count:,}" for count in (tp, fp, fn, tn)))
        for label, threshold, (tn, fp, fn, tp) in zip(
            evaluation.labels, sets.thresholds, sets.confusion, strict=True
        )
    ]
    return Table(
        "Decisions by label: a row is given a label from its threshold on",
        ("label", "threshold", "given rightly", "given wrongly", "missed", "rightly not given"),
        rows,
    )


def confusion_table(evaluation: Evaluation) -> Table:
    """List the largest confusions, most rows first."""
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
        [(true, predicted, f"{n:,}", percent(share)) for n, true, predicted, share in largest],
        texts=(1,),
    )


def calibration_table(calibration: Calibration, log_loss: float) -> Table:
    """Set the probabilities as they are against those before the temperature."""
    errors = (calibration.error_before, calibration.error)
    losses = (calibration.log_loss_before, log_loss)
    return Table(
        f"Before and after temperature {calibration.temperature:.3f}, fitted on validation",
        ("", "before", "after"),
        [
            ("Expected calibration error", *(percent(error, 2) for error in errors)),
            ("Log-loss, nats", *(f"{loss:.4f}" for loss in losses)),
        ],
    )


def coverage_table(coverage: tuple[Coverage, ...], rows: int) -> Table:
    """List the accuracy where only the surest rows are answered."""
    digits = digits_for(rows)
    return Table(
        "Accuracy where only the surest rows are answered",
        ("answered", "rows", "threshold", "accuracy"),
        [
            (
                percent(each.coverage),
                f"{each.rows:,}",
                f"{each.threshold:.4f}",
                "\N{EN DASH}" if each.accuracy is None else with_interval(each.accuracy, digits),
            )
            for each in coverage
        ],
    )


def threshold_table(threshold: ChosenThreshold, split: str, rows: int) -> Table:
    """Set what a chosen threshold gives here against what it gave on validation."""
    found = {"validation, where it was chosen": threshold.validation, split: threshold.here}
    digits = digits_for(rows)
    return Table(
        f"Answering from confidence {threshold.here.threshold:.4f} on, chosen for an accuracy of"
        f" {percent(threshold.wanted)}",
        ("rows of", "answered", "accuracy"),
        [
            (
                name,
                percent(each.coverage),
                "\N{EN DASH}" if each.accuracy is None else with_interval(each.accuracy, digits),
            )
            for name, each in found.items()
        ],
    )


def slice_tables(slices: tuple[Slice, ...], rows: int) -> list[Table]:
    """List the accuracy on parts of the rows, a table for each way to tell them apart."""
    digits = digits_for(rows)
    ways = dict.fromkeys(each.by for each in slices)
    return [
        Table(
            f"Accuracy by {way}",
            (way, "rows", "accuracy"),
            [
                (each.value, f"{each.rows:,}", with_interval(each.accuracy, digits))
                for each in slices
                if each.by == way
            ],
            sorts=True,
        )
        for way in ways
    ]


def _shares(evaluation: Evaluation) -> Iterator[tuple[str, Metric]]:
    yield evaluation.accuracy_name.capitalize(), evaluation.accuracy
    sets, one_label = evaluation.label_sets, evaluation.one_label
    if sets is not None:
        for score in SCORES:
            yield f"{_SCORE_NAMES[score]}, micro", getattr(sets, f"{score}_micro")
    for kind in AVERAGES:
        for score in SCORES:
            yield f"{_SCORE_NAMES[score]}, {kind}", getattr(evaluation, f"{score}_{kind}")
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
        yield "Expected calibration error", percent(one_label.calibration.error, 2)


def _area(value: float | None) -> str:
    return or_dash("{:.4f}".format, value)


def headline_rows(
    evaluation: Evaluation, baselines: tuple[Baseline, ...]
) -> list[tuple[str, Metric, Metric]]:
    """List name, accuracy and macro F1 of this run and of the baselines, best accuracy first."""
    rows = [
        ("this run", evaluation.accuracy, evaluation.f1_macro),
        *((each.name, each.accuracy, each.f1_macro) for each in baselines),
    ]
    return sorted(rows, key=lambda row: -row[1].value)
