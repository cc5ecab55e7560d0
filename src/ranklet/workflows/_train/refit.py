"""A second training, on training and validation texts together, once validation has chosen."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from ranklet.classifier import ClassifierNetwork, restore_state
from ranklet.data.encoded_splits import EncodedSplit, Splits
from ranklet.run.observer import Observer
from ranklet.training.fit import FitResult
from ranklet.training.processes import Processes
from ranklet.training.records import Record
from ranklet.workflows._train.learn import fit_model, planned_steps
from ranklet.workflows._train.other_processes import NoCheckpoints, NoRecords, TrainingInputs
from ranklet.workflows._train.preparation import Preparation, make_ready
from ranklet.workflows._train.resume import AT_ITS_START
from ranklet.workflows._train.signals import StopRequest
from ranklet.workflows.from_recipe.model import build_model


def refit(
    prepared: Preparation,
    inputs: TrainingInputs,
    first: FitResult,
    processes: Processes,
    stop: StopRequest,
    observer: Observer,
) -> ClassifierNetwork:
    """Train from the start on all texts, as many epochs as were best, and validate nothing.

    It keeps no checkpoints: an interrupted run goes on behind its first training.

    Args:
        prepared: Of the first training.
        inputs: What the first training worked on.
        first: What came of it.
        processes: Those that train.
        stop: A signal asks for the end of the training.
        observer: Is told what happens.

    Returns:
        The classifier, with the temperature or thresholds of the first.

    Raises:
        TrainingDivergedError: The loss is no longer a finite number.
        TrainingStoppedError: A signal ended the training in order.
    """
    recipe = prepared.recipe
    model, _ = build_model(
        recipe, prepared.encoder, prepared.splits.labels, prepared.dtype, prepared.device
    )
    again = replace(
        prepared, taught=_all_texts(prepared.taught), model=model, beginning=AT_ITS_START
    )
    until = first.best_step / planned_steps(recipe, inputs.corpora["train"])
    everything = replace(make_ready(again, processes, report=lambda line: None), until=until)
    rows = len(again.taught.train.texts)
    observer.report(
        f"refit: trains again on all {rows:,} texts, {until:.0%} of the planned steps; figures on "
        "validation stay those of the first training"
    )

    def record(entry: Record) -> None:
        observer.record({**entry, "kind": "refit"})

    told = Observer(start=observer.start, record=record)
    if not until and everything.probe is not None:
        restore_state(model, everything.probe.moment.state)
    else:
        with processes.together(everything):
            silent = nullcontext(NoRecords())
            fit_model(model, everything, processes, NoCheckpoints(stop), silent, told)
    model.problem = prepared.model.problem
    return model


def _all_texts(splits: Splits) -> Splits:
    parts = (splits.train, splits.validation)
    texts = tuple(text for part in parts for text in part.texts)
    labels = np.concatenate([part.labels for part in parts])
    return replace(splits, train=EncodedSplit(texts, labels, splits.train.source))
