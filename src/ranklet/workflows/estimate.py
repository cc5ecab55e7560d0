"""The accuracy to expect on new texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from ranklet.classifier import TextClassifier
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.reading.sources import stream_texts
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import AdapterError, DataError, RunError
from ranklet.evaluation.intervals import share_with_interval
from ranklet.evaluation.unlabelled.estimators import agreement
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.problem import MultiLabel
from ranklet.recipe import load_recipe
from ranklet.run.folder import Run, open_run
from ranklet.vocabulary import Device, Precision
from ranklet.workflows._learn_shifts import EstimatedOutputs, judge_new, learn_shifts
from ranklet.workflows.from_recipe.labelled_texts import read_labelled, run_columns, run_data
from ranklet.workflows.from_recipe.own_validation import REMEDY, own_validation
from ranklet.workflows.load import is_run, load

FEWEST_KNOWN = 2
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
            too few or not to be found again.
        AdapterError: The classifier gives several labels to a text.
        RunError: The others differ from the run by more than their seed, or a bare adapter has no
            validation texts.
        RankletError: A classifier cannot be loaded.
    """
    source, runs = Path(data), [Path(run) for run in (path, *others)]
    if others:
        _check_seeds_alone(runs)
    column = text_column or run_columns(run_data(runs[0])).text
    texts = [text for _, text in stream_texts(source, column)]
    if not texts:
        raise DataError("holds no texts", str(source))
    prepare_memory()
    judged = list[EstimatedOutputs]()
    for run in runs:
        model = load(
            run,
            encoder=encoder,
            labels=label_names,
            device=device,
            precision=precision,
            merge=True,
        )
        if isinstance(model.problem, MultiLabel):
            raise AdapterError(
                f"{run}: gives a text several labels; accuracy is estimated for one label a text"
            )
        known = _known(run, model, validation, label_names)
        basis = learn_shifts(model, known, seed, observe)
        judged.append(judge_new(model, basis, texts, observe))
    return _together(judged, len(texts))


def _together(judged: Sequence[EstimatedOutputs], rows: int) -> Estimate:
    """Average what is expected of several runs; with one, say it."""
    every = [each.expected for each in judged]
    names = every[0].estimators
    by_name = {name: fmean(each.estimators[name] for each in every) for name in names}
    if len(judged) > 1:
        by_name[AGREEMENT] = agreement(np.stack([each.predicted for each in judged]))
    known = sum(each.known for each in judged)
    return Estimate(
        accuracy=fmean(each.accuracy for each in every),
        interval=(
            fmean(each.interval[0] for each in every),
            fmean(each.interval[1] for each in every),
        ),
        rows=rows,
        validation=share_with_interval(sum(each.hits for each in judged), known),
        validation_rows=known,
        estimators=by_name,
        warning=next((each.warning for each in every if each.warning is not None), None),
    )


def _check_seeds_alone(runs: Sequence[Path]) -> None:
    recipes = [load_recipe(open_run(run).recipe).model_copy(update={"seed": 0}) for run in runs]
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        if recipe != recipes[0]:
            raise RunError(
                f"{run}: differs from {runs[0]} by more than its seed; estimate each by itself"
            )


def _known(
    run: Path, model: TextClassifier, validation: str | None, label_names: Sequence[str] | None
) -> EncodedSplit:
    if validation is not None:
        known = read_labelled(
            validation,
            "validation",
            model.labels,
            run_data(run),
            label_names=label_names,
            problem_type=model.problem.problem_type,
        )
    elif is_run(run):
        known = own_validation(Run(run))
    else:
        raise RunError(f"{run}: is no run, which would have validation texts; {REMEDY}")
    if len(known.texts) < FEWEST_KNOWN:
        raise DataError(
            f"holds {len(known.texts)} texts, and {FEWEST_KNOWN} are needed to estimate from; "
            f"{REMEDY}",
            known.source,
        )
    return known
