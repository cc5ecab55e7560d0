"""estimate: the accuracy to expect on new texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ranklet.classifier import TextClassifier
from ranklet.data.shifts import SHIFTS
from ranklet.data.sources import stream_texts
from ranklet.encoder.precision import Device, Precision, prepare_memory
from ranklet.errors import AdapterError, DataError
from ranklet.evaluation.calibration import fit_temperature
from ranklet.evaluation.estimate import Estimate
from ranklet.evaluation.shift_aware import Answered, Shifted, estimate_accuracy
from ranklet.evaluation.unlabelled import agreement
from ranklet.problem import MultiLabel
from ranklet.recipe import load_recipe
from ranklet.run import Run, open_run
from ranklet.workflows.evaluate import read_labelled, run_columns, run_data
from ranklet.workflows.load import is_run, load
from ranklet.workflows.own_validation import REMEDY, own_validation
from ranklet.workflows.read_splits import EncodedSplit

# Kinds of shift and their strengths, which the estimate is fitted on.
FITTED = {
    "typos": (0.3, 0.6, 1.0),
    "word_drops": (0.2, 0.4, 0.7),
    "truncation": (0.3, 0.6, 0.85),
    "entities": (0.2, 0.6),
    "reverse": (1.0,),
}
MOST_KNOWN = 2_000
MOST_SHIFTED = 3_000
AGREEMENT = "agreement of the runs"


def estimate(
    path: str | Path,
    data: str | Path,
    *,
    others: Sequence[str | Path] = (),
    validation: str | None = None,
    text_column: str | Sequence[str] | None = None,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: int = 0,
    observe: Callable[[str], None] = lambda line: None,
) -> Estimate:
    """Estimate the accuracy of a classifier on texts without labels.

    The classifier is asked about the new texts, about texts with labels that it was not trained on,
    and about copies of these that were shifted on purpose: up to 5,000 texts beside the new ones.

    Args:
        path: A run, or an adapter folder.
        data: New texts: csv, tsv, jsonl, parquet, or txt with one text a line. Labels are ignored.
        others: Runs of the same recipe with other seeds. All are about as accurate, so the mean of
            their estimates is nearer the truth; and their agreement is told.
        validation: Labelled texts that it was not trained on, with the columns of the run; None:
            the validation texts of each run, found again by its recipe.
        text_column: Column of the text in `data`, or several; None: as in the run, else `text`.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        device: Where it computes.
        precision: Compute dtype of the frozen weights.
        seed: Draws the known texts that are shifted, and the shifts.
        observe: Receives a line at each long stage.

    Returns:
        The accuracy to expect, with its 95 % interval and a warning where the texts are too far
        from everything that the estimate was fitted on.

    Raises:
        DataError: The texts cannot be read, there are none, or the validation texts of the run are
            not to be found again.
        AdapterError: The classifier gives several labels to a text.
        RunError: The others differ from the run by more than their seed.
        RankletError: A classifier cannot be loaded.
    """
