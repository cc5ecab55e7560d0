"""What a classifier said about each row of a split, as csv files beside the figures.

They make it possible to compare two runs on the same rows, to choose a threshold later, and to read
the errors. Only the errors carry their texts.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import RunError
from ranklet.files import open_atomically
from ranklet.foreign_text import without_controls
from ranklet.labels import SEPARATOR, Label, names_of

COLUMNS = ("row", "label", "predicted", "confidence", "correct")
ERROR_COLUMNS = (
    "row",
    "text",
    "label",
    "predicted",
    "probability of label",
    "confidence",
    "likely wrong label",
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What was said about each row, in the order of the data.

    Attributes:
        labels: True label of each row; a tuple of them where it may have several.
        predicted: Predicted label, alike.
        confidence: (n,) float32 probability of the predicted label; None where a row may have
            several.
        right: (n,) whether both are the same.
    """

    labels: tuple[Label, ...]
    predicted: tuple[Label, ...]
    confidence: NDArray[np.float32] | None
    right: NDArray[np.bool_]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write one line a row: number from 0, label, predicted label, confidence, 1 or 0 for correct.

    Several labels stand with `|` between them, and have no confidence.

    Raises:
        RunError: The file cannot be written.
    """
    confidence: Sequence[object] = [""] * len(predictions.labels)
    if predictions.confidence is not None:
        confidence = [str(value) for value in predictions.confidence]  # reads back as it was
    lines = zip(
        range(len(predictions.labels)),
        map(_cell, predictions.labels),
        map(_cell, predictions.predicted),
        confidence,
        map(int, predictions.right),
        strict=True,
    )
    with open_atomically(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(lines)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote; several labels stay as they are written.

    Raises:
        RunError: The file is missing or broken.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream, strict=True))
        return Predictions(
            labels=tuple(line["label"] for line in lines),
            predicted=tuple(line["predicted"] for line in lines),
            confidence=None
            if any(line["confidence"] == "" for line in lines)
            else np.array([line["confidence"] for line in lines], dtype=np.float32),
            right=np.array(
                [{"0": False, "1": True}[line["correct"]] for line in lines], dtype=bool
            ),
        )
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: holds no predictions as `train` writes them") from error


def surest_errors(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows that were predicted wrong, those first whose predicted label is the surest.

    Args:
        confidence: (n,) probability of the predicted label.
        right: (n,) whether it is the true one.
    """
    wrong = np.flatnonzero(~right)
    return wrong[np.argsort(-confidence[wrong], kind="stable")]


def write_error_rows(
    path: Path,
    texts: Sequence[str],
    predictions: Predictions,
    label_probabilities: NDArray[np.float32],
    suspects: NDArray[np.bool_],
) -> int:
    """Write the rows that were predicted wrong, those first whose predicted label is the surest.

    Args:
        path: A csv file.
        texts: Of all rows.
        predictions: Of all rows, one label each.
        label_probabilities: (n,) probability of each row's true label.
        suspects: (n,) whether the label is more likely to be wrong than the prediction.

    Returns:
        How many rows there are in the file.

    Raises:
        RunError: The file cannot be written.
    """
    assert predictions.confidence is not None, "an error of several labels has no one confidence"
    wrong = surest_errors(predictions.confidence, predictions.right)
    with open_atomically(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(ERROR_COLUMNS)
        for row in wrong.tolist():
            shares = (label_probabilities[row], predictions.confidence[row])
            names = map(_cell, (predictions.labels[row], predictions.predicted[row]))
            cells = (*names, *(f"{share:.6f}" for share in shares), int(suspects[row]))
            table.writerow((row, without_controls(texts[row]), *map(str, cells)))
    return len(wrong)


def _cell(label: Label) -> str:
    return without_controls(SEPARATOR.join(names_of(label)))
