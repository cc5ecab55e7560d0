"""What a run answered to each row of a split, as two runs are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ranklet.errors import RunError
from ranklet.evaluation.comparison.row_answers import RowAnswers
from ranklet.evaluation.predictions import Predictions
from ranklet.evaluation.result import Evaluation
from ranklet.files import sha256_json
from ranklet.labels import SEPARATOR, Label, as_written


def row_answers(
    predictions: Predictions, evaluation: Evaluation, path: Path, drawn: Sequence[object] = ()
) -> RowAnswers:
    """Turn what was predicted for each row into what is compared.

    Args:
        predictions: Labels and answers, as they are written.
        evaluation: The figures of them.
        path: Where they lie, for messages.
        drawn: What tells the rows apart from others of the same labels.

    Raises:
        RunError: A label is not one of the evaluation's.
    """
    several, names = evaluation.label_sets is not None, sorted(evaluation.labels)
    try:
        has, given = (
            _encoded(cells, names, several) for cells in (predictions.labels, predictions.predicted)
        )
    except KeyError as error:
        raise RunError(f"{path}: label {error} is not one of the evaluation's") from error
    return RowAnswers(sha256_json([list(map(as_written, predictions.labels)), *drawn]), has, given)


def _encoded(cells: Sequence[Label], names: Sequence[str], several: bool) -> NDArray[np.bool_]:
    """Turn labels as they are written into (n, classes) bool."""
    place = {name: number for number, name in enumerate(names)}
    encoded = np.zeros((len(cells), len(names)), dtype=bool)
    for row, cell in enumerate(map(as_written, cells)):
        for label in cell.split(SEPARATOR) if several else [cell]:
            if label or not several:
                encoded[row, place[label]] = True
    return encoded
