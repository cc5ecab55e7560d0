"""A second training, on training and validation texts together, once validation has chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from ranklet.classifier import ClassifierNetwork, restore_state
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.run.observer import Observer
from ranklet.training.fit import FitResult
from ranklet.training.processes import Processes
from ranklet.training.records import Record
from ranklet.workflows._train.learn import fit_model, planned_steps
from ranklet.workflows._train.other_processes import (
    NoCheckpoints,
    NoRecords,
    TrainingInputs,
)
from ranklet.workflows._train.preparation import Preparation, make_ready
from ranklet.workflows._train.resume import AT_ITS_START
from ranklet.workflows._train.signals import StopRequest
from ranklet.workflows.from_recipe.model import build_model


@dataclass(frozen=True, eq=False)
class Kept:
    """The classifier that a training ends with.

    Attributes:
        model: The classifier.
        texts: What it was trained on, if that is more than the training texts.
        probe: Logits of the linear probe of the same texts by split, those on validation of the
            training texts alone; None: it did not start from one.
    """

    model: ClassifierNetwork
    texts: EncodedSplit | None
    probe: Mapping[str, Tensor] | None


def refit(
    prepared: Preparation,
    inputs: TrainingInputs,
    first: FitResult,
    processes: Processes,
    stop: StopRequest,
    observer: Observer,
) -> Kept:
    """Train from the start on all texts, as many epochs as were best, and validate nothing.

    Without `training.refit`, or after Ctrl-C, the first training's classifier is kept. No
    checkpoints are written: an interrupted run goes on behind its first training.

    Args:
        prepared: Of the first training.
        inputs: What the first training worked on.
        first: What came of it.
        processes: Those that train.
        stop: A signal asks for the end of the training.
        observer: Is told what happens.

    Returns:
        The classifier, with the calibration or thresholds of the first, and what it learned from.

    Raises:
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: A signal ended the training in order.
    """
    recipe, probe = prepared.recipe, None if inputs.probe is None else inputs.probe.logits
    if not recipe.training.refit or first.ended_by == "interrupt":
        return Kept(prepared.model, None, probe)
    model, _ = build_model(
        recipe, prepared.encoder, prepared.splits.labels, prepared.dtype, prepared.device
    )
    again = replace(
        prepared, taught=_all_texts(prepared.taught), model=model, beginning=AT_ITS_START
    )
    until = first.best_step / max(1, planned_steps(recipe, inputs.corpora["train"]))
    everything = replace(make_ready(again, processes, report=lambda line: None), until=until)
    rows = len(again.taught.train.texts)
    how_far = f"{until:.0%} of the planned steps" if until else "the start alone"
    observer.report(
        f"refit: trains again on all {rows:,} texts, {how_far}; figures on validation stay those "
        "of the first training"
    )

    def record(entry: Record) -> None:
        observer.record({**entry, "kind": "refit"})

    quiet = Observer(start=observer.start, record=record)
    if not until and inputs.probe is not None and everything.probe is not None:
        moments = zip(inputs.probe.moments, everything.probe.moments, strict=True)
        best = next(new for old, new in moments if old.metrics == first.best_metrics)
        restore_state(model, best.state)
    else:
        with processes.together(everything):
            silent = nullcontext(NoRecords())
            fit_model(model, everything, processes, NoCheckpoints(stop), silent, quiet)
    model.problem = prepared.model.problem
    if probe is not None and everything.probe is not None:
        probe = {**everything.probe.logits, "validation": probe["validation"]}
    return Kept(model, again.taught.train, probe)


def _all_texts(splits: Splits) -> Splits:
    parts = (splits.train, splits.validation)
    texts = tuple(text for part in parts for text in part.texts)
    labels = np.concatenate([part.labels for part in parts])
    return replace(splits, train=EncodedSplit(texts, labels, splits.train.source))
