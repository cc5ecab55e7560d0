"""Every number of one model on one split, with intervals, and the form in which it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from ranklet.display import Display, shows_itself, with_interval
from ranklet.evaluation.calibration import Calibration
from ranklet.evaluation.intervals import CONFIDENCE, Metric
from ranklet.evaluation.ranking import ClassRanking, TopAccuracy
from ranklet.evaluation.selective import ChosenThreshold, Coverage
from ranklet.evaluation.slices import Slice

EVALUATED_SPLITS = ("test", "validation")
SCORES = ("precision", "recall", "f1")
AVERAGES = ("macro", "weighted")
AVERAGE_SCORES = tuple(f"{score}_{kind}" for kind in AVERAGES for score in SCORES)
# Written only where there is something.
_OPTIONAL = ("label_sets", "one_label", "slices", "threshold")


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
class OneLabelFigures:
    """What there is besides where a text has one label.

    Micro precision, recall and F1 are not among it: all three are the accuracy then.

    Attributes:
        matthews: Correlation of true and predicted classes, -1..1.
        kappa: Agreement beyond chance (Cohen's kappa), -1..1.
        brier: Mean squared error of the probabilities, summed over classes, 0..2; no interval.
        roc_auc_macro: Mean of the classes' ROC-AUC, each against the rest, over those that have it;
            None where none has; no interval.
        average_precision_macro: The same of their average precision.
        ranking: Both for each class, in the order of the logits.
        top: Top-2 and top-3 accuracy, where there are more classes.
        calibration: Expected calibration error, reliability, temperature.
        coverage: Accuracy where only the surest rows are answered.
    """

    matthews: Metric
    kappa: Metric
    brier: float
    roc_auc_macro: float | None
    average_precision_macro: float | None
    ranking: tuple[ClassRanking, ...]
    top: tuple[TopAccuracy, ...]
    calibration: Calibration
    coverage: tuple[Coverage, ...]


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
        recall_weighted: Recall averaged by support; where a row has one label it is the accuracy,
            with the same interval.
        f1_weighted: F1 averaged by support.
        log_loss: Mean negative log probability of the true labels, nats; of every answer, yes or
            no, where a row may have several.
        classes: One entry for each label, same order.
        confusion: `confusion[i][j]` rows of label i were predicted as label j; empty where a row
            may have several.
        label_sets: Further figures where a row may have several labels, else None.
        one_label: Further figures where a row has one, else None.
        slices: Accuracy on parts of the rows; None where nobody asked.
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

    @model_serializer(mode="wrap")
    def _as_written(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Bring accuracy and interval to the top, and averages below their score."""
        values = values_of(self)
        averages = {
            score: {kind: values[f"{score}_{kind}"] for kind in AVERAGES} for score in SCORES
        }
        return {
            "split": self.split,
            "rows": self.rows,
            "accuracy": self.accuracy.value,
            "interval": values["accuracy"]["interval"],
            "confidence": CONFIDENCE,
            "log_loss": self.log_loss,
            **averages,
            **{name: values[name] for name in ("labels", "classes", "confusion")},
            **{name: values[name] for name in _OPTIONAL if values[name] is not None},
        }

    @model_validator(mode="before")
    @classmethod
    def _as_fields(cls, content: Any) -> Any:
        """Undo `_as_written`."""
        try:
            averages = {
                f"{score}_{kind}": content[score][kind] for kind in AVERAGES for score in SCORES
            }
            accuracy = {"value": content["accuracy"], "interval": content["interval"]}
        except KeyError as error:
            raise ValueError(f"key {error} is missing") from error
        except TypeError as error:
            raise ValueError("not as written") from error
        return {**content, **averages, "accuracy": accuracy}

    @model_validator(mode="after")
    def _check_labels(self) -> Evaluation:
        lengths = {len(row) for row in self.confusion} | {len(self.confusion), len(self.classes)}
        if self.label_sets is not None:
            sets = self.label_sets
            lengths = {len(sets.thresholds), len(sets.confusion), len(self.classes)}
        if self.one_label is not None:
            lengths.add(len(self.one_label.ranking))
        if lengths != {len(self.labels)}:
            raise ValueError(f"classes and confusion do not fit {len(self.labels)} labels")
        return self
