"""Every number of one model on one split, with intervals; knows nothing of rendering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranklet.display import Display, shows_itself, with_interval
from ranklet.errors import RunError
from ranklet.evaluation import metrics
from ranklet.evaluation.metrics import CONFIDENCE, Metric
from ranklet.evaluation.one_label import OneLabelFigures, one_label_figures
from ranklet.evaluation.selective import ChosenThreshold
from ranklet.evaluation.slices import Slice

SCORES = ("precision", "recall", "f1")
AVERAGES = ("macro", "weighted")
# What files of earlier versions lack, and what it is read as.
LATER = {"one_label": OneLabelFigures, "slices": tuple[Slice, ...], "threshold": ChosenThreshold}
SET_FIGURES = ("precision_micro", "recall_micro", "f1_micro", "hamming_loss")


@dataclass(frozen=True)
class ClassMetrics:
    """Scores of one class.

    Attributes:
        label: Name of the class.
        support: Rows whose true label it is.
        precision: Share of its predictions that are right.
        recall: Share of its rows that are found.
        f1: Harmonic mean of both.
    """

    label: str
    support: int
    precision: Metric
    recall: Metric
    f1: Metric


@dataclass(frozen=True)
class LabelSetFigures:
    """What there is besides where a text may have any number of labels.

    Attributes:
        precision_micro: Share of all given labels that are right.
        recall_micro: Share of all labels of the rows that were given.
        f1_micro: Harmonic mean of both.
        hamming_loss: Share of all decisions, rows times labels, that are wrong.
        thresholds: Probability from which a row was given each label.
        confusion: For each label the rows that rightly lack it, wrongly have it, wrongly lack it
            and rightly have it (scikit-learn's `multilabel_confusion_matrix`, flat).
    """

    precision_micro: Metric
    recall_micro: Metric
    f1_micro: Metric
    hamming_loss: Metric
    thresholds: tuple[float, ...]
    confusion: tuple[tuple[int, int, int, int], ...]


@shows_itself
@dataclass(frozen=True)
class Evaluation:
    """Every number of one model on one split.

    Attributes:
        split: `train`, `validation`, `test`, or the name of another data set.
        rows: Number of texts evaluated.
        labels: Label names in the order of the logits.
        accuracy: Share of rows predicted right, with Wilson's interval; where a row may have
            several labels, of rows with all of them right and no other (exact match, subset
            accuracy).
        precision_macro: Mean of the classes' precision.
        recall_macro: Mean of the classes' recall.
        f1_macro: Mean of the classes' F1.
        precision_weighted: Precision averaged by support.
        recall_weighted: Recall averaged by support; equals the accuracy, its interval is bootstrap.
        f1_weighted: F1 averaged by support.
        log_loss: Mean negative log probability of the true labels, nats; of every answer, yes or
            no, where a row may have several.
        classes: One entry for each label, same order.
        confusion: `confusion[i][j]` rows of label i were predicted as label j; empty where a row
            may have several.
        label_sets: Further figures where a row may have several labels, else None.
        one_label: Further figures where a row has one; None in files of earlier versions too.
        slices: Accuracy on parts of the rows; None where nobody asked, or in such files.
        threshold: Chosen for a wanted accuracy; None where nobody asked.
    """

    split: str
    rows: int
    labels: tuple[str, ...]
    accuracy: Metric
    precision_macro: Metric
    recall_macro: Metric
    f1_macro: Metric
    precision_weighted: Metric
    recall_weighted: Metric
    f1_weighted: Metric
    log_loss: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    label_sets: LabelSetFigures | None = None
    one_label: OneLabelFigures | None = None
    slices: tuple[Slice, ...] | None = None
    threshold: ChosenThreshold | None = None

    @property
    def accuracy_name(self) -> str:
        """What people call `accuracy` here."""
        return "accuracy" if self.label_sets is None else "exact match"

    def display(self) -> Display:
        """Return the main figures and those of each class as a table."""
        rows = [
            (
                entry.label,
                *(f"{getattr(entry, score).value:.4f}" for score in SCORES),
                f"{entry.support:,}",
            )
            for entry in self.classes
        ]
        macro = tuple(f"{getattr(self, f'{score}_macro').value:.4f}" for score in SCORES)
        accuracy = with_interval(self.accuracy.value, self.accuracy.interval)
        return Display(
            f"Evaluation of {self.split}: {self.accuracy_name} {accuracy}, {self.rows:,} texts",
            ("label", *SCORES, "texts"),
            [*rows, ("macro average", *macro, f"{self.rows:,}")],
        )


def evaluate_predictions(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    split: str,
    seed: int = 0,
    temperature: float = 1.0,
) -> Evaluation:
    """Compute every number of an evaluation from the probabilities of one split.

    The prediction of a row is its largest probability, the first one of equals. The accuracy, and
    every other share of rows, has Wilson's 95 % interval; what else is a function of the confusion
    matrix has a bootstrap percentile interval of 2,000 resamples. Log-loss, Brier score, areas
    under curves and calibration error have none.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.
        label_names: Names of the classes in the order of the columns.
        split: Name of the data, kept in the result.
        seed: Seed of the bootstrap.
        temperature: What the logits behind the probabilities were divided by.

    Raises:
        DataError: No rows, shapes that disagree, probabilities that are not finite, or a label
            outside the classes.
    """
    metrics.require_predictions(probabilities, labels, len(label_names), split)
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), len(label_names))
    scores = iter(_scores_with_intervals(confusion, seed))
    averages: dict[str, Any] = {
        f"{score}_{kind}": next(scores) for kind in AVERAGES for score in SCORES
    }
    return Evaluation(
        split=split,
        rows=len(labels),
        labels=tuple(label_names),
        accuracy=metrics.share_with_interval(int(np.trace(confusion)), len(labels)),
        **averages,
        log_loss=metrics.log_loss(probabilities, labels),
        classes=class_metrics(label_names, confusion.sum(1), scores),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        one_label=one_label_figures(
            probabilities, labels, label_names, next(scores), next(scores), temperature
        ),
    )


def validation_metrics(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Compute what the training loop compares, without intervals.

    Args:
        probabilities: (n, classes) float32, rows sum to 1; n >= 1.
        labels: (n,) int64 class indices.

    Returns:
        `accuracy`, `macro_precision`, `macro_recall` and `macro_f1` (shares) and `loss` (nats; NaN
        if a true label's probability is NaN, which the training loop reports with its step).

    Raises:
        DataError: A label outside the classes.
    """
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(1), probabilities.shape[1])
    return {
        "accuracy": float(metrics.accuracy(confusion)),
        **metrics.macro_scores(metrics.class_scores(confusion)),
        "loss": metrics.log_loss(probabilities, labels),
    }


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Turn an evaluation into JSON values; `accuracy` and `interval` are at the top."""
    averages = {
        score: {kind: _metric_to_json(getattr(evaluation, f"{score}_{kind}")) for kind in AVERAGES}
        for score in SCORES
    }
    return {
        "split": evaluation.split,
        "rows": evaluation.rows,
        "accuracy": evaluation.accuracy.value,
        "interval": list(evaluation.accuracy.interval),
        "confidence": CONFIDENCE,
        "log_loss": evaluation.log_loss,
        **averages,
        "labels": list(evaluation.labels),
        "classes": [_class_to_json(entry) for entry in evaluation.classes],
        "confusion": [list(row) for row in evaluation.confusion],
        **_label_sets_to_json(evaluation.label_sets),
        **_later_to_json(evaluation),
    }


def from_json(content: Mapping[str, Any]) -> Evaluation:
    """Read what `to_json` wrote; the result equals the evaluation exactly.

    Raises:
        RunError: A key is missing or holds something else.
    """
    try:
        return _evaluation_from_json(content)
    except KeyError as error:
        raise RunError(f"evaluation: key {error} is missing; evaluate the run again") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise RunError(f"evaluation: not as written ({error}); evaluate the run again") from error


def _score_vector(confusion: metrics.Counts) -> metrics.Scores:
    """Lay out all scores but the accuracy: (..., 6 averages + 3 x classes + 2 agreements)."""
    scores = metrics.class_scores(confusion)
    by_class = (scores.precision, scores.recall, scores.f1)
    macro = [metrics.macro_average(values) for values in by_class]
    weighted = [metrics.weighted_average(values, scores.support) for values in by_class]
    agreements = [metrics.matthews_correlation(confusion), metrics.cohen_kappa(confusion)]
    averages, agreed = np.stack(macro + weighted, axis=-1), np.stack(agreements, axis=-1)
    return np.concatenate([averages, *by_class, agreed], axis=-1)


def _scores_with_intervals(confusion: metrics.Counts, seed: int) -> list[Metric]:
    low, high = metrics.bootstrap_intervals(confusion, _score_vector, seed)
    values = _score_vector(confusion)
    return [
        Metric(float(value), (float(left), float(right)))
        for value, left, right in zip(values, low, high, strict=True)
    ]


def class_metrics(
    label_names: Sequence[str], support: metrics.Counts, scores: Iterator[Metric]
) -> tuple[ClassMetrics, ...]:
    """Deal a score vector out to classes: all precisions, then all recalls, then all F1."""
    by_score = [[next(scores) for _ in label_names] for _ in range(3)]
    return tuple(
        ClassMetrics(label, int(rows), precision, recall, f1)
        for label, rows, precision, recall, f1 in zip(label_names, support, *by_score, strict=True)
    )


def _metric_to_json(metric: Metric) -> dict[str, Any]:
    return {"value": metric.value, "interval": list(metric.interval)}


def _class_to_json(entry: ClassMetrics) -> dict[str, Any]:
    scores = {score: _metric_to_json(getattr(entry, score)) for score in SCORES}
    return {"label": entry.label, "support": entry.support, **scores}


def _label_sets_to_json(found: LabelSetFigures | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "label_sets": {
            **{name: _metric_to_json(getattr(found, name)) for name in SET_FIGURES},
            "thresholds": list(found.thresholds),
            "confusion": [list(counts) for counts in found.confusion],
        }
    }


def _later_to_json(evaluation: Evaluation) -> dict[str, Any]:
    from pydantic import TypeAdapter

    held = {name: getattr(evaluation, name) for name in LATER}
    return {
        name: TypeAdapter(LATER[name]).dump_python(value)
        for name, value in held.items()
        if value is not None
    }


def _later_from_json(content: Mapping[str, Any]) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return {
        name: TypeAdapter(kind).validate_python(content[name])
        for name, kind in LATER.items()
        if content.get(name) is not None
    }


def _label_sets_from_json(content: Mapping[str, Any]) -> LabelSetFigures:
    figures = {name: _metric_from_json(content[name]) for name in SET_FIGURES}
    thresholds = tuple(float(value) for value in content["thresholds"])
    confusion = tuple(
        (int(tn), int(fp), int(fn), int(tp)) for tn, fp, fn, tp in content["confusion"]
    )
    return LabelSetFigures(**figures, thresholds=thresholds, confusion=confusion)


def _evaluation_from_json(content: Mapping[str, Any]) -> Evaluation:
    labels = tuple(str(label) for label in content["labels"])
    confusion = tuple(tuple(int(count) for count in row) for row in content["confusion"])
    classes = tuple(_class_from_json(entry) for entry in content["classes"])
    held = content.get("label_sets")
    sets = None if held is None else _label_sets_from_json(held)
    lengths = {len(row) for row in confusion} | {len(confusion), len(classes)}
    if sets is not None:
        lengths = {len(sets.thresholds), len(sets.confusion), len(classes)}
    averages: dict[str, Any] = {
        f"{score}_{kind}": _metric_from_json(content[score][kind])
        for kind in AVERAGES
        for score in SCORES
    }
    later = _later_from_json(content)
    if "one_label" in later:
        lengths.add(len(later["one_label"].ranking))
    if lengths != {len(labels)}:
        raise ValueError(f"classes and confusion do not fit {len(labels)} labels")
    return Evaluation(
        split=str(content["split"]),
        rows=int(content["rows"]),
        labels=labels,
        accuracy=_metric(content["accuracy"], content["interval"]),
        **averages,
        log_loss=float(content["log_loss"]),
        classes=classes,
        confusion=confusion,
        label_sets=sets,
        **later,
    )


def _class_from_json(content: Mapping[str, Any]) -> ClassMetrics:
    scores = {score: _metric_from_json(content[score]) for score in SCORES}
    return ClassMetrics(label=str(content["label"]), support=int(content["support"]), **scores)


def _metric_from_json(content: Mapping[str, Any]) -> Metric:
    return _metric(content["value"], content["interval"])


def _metric(value: float, interval: Sequence[float]) -> Metric:
    low, high = interval
    return Metric(float(value), (float(low), float(high)))


EVALUATED_SPLITS = ("test", "validation")
