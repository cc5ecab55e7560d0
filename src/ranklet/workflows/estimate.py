"""The accuracy to expect on new texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np

from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.reading.columns import AS_IN_RUN, Columns
from ranklet.data.reading.memory import Data, RowsInMemory, as_source
from ranklet.data.reading.sources import stream_texts
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import AdapterError, DataError, RunError
from ranklet.evaluation.intervals import share_with_interval
from ranklet.evaluation.unlabelled.estimators import agreement
from ranklet.evaluation.unlabelled.result import Estimate
from ranklet.problem import MultiLabel
from ranklet.recipe import Recipe, load_recipe
from ranklet.run.folder import open_run
from ranklet.run.model_source import Model, as_model_source, name_of, run_of
from ranklet.text_classifier import TextClassifier
from ranklet.workflows._learn_shifts import EstimatedOutputs, expect_on_new, learn_shifts
from ranklet.workflows.from_recipe.labelled_texts import read_labelled, reading_as_run
from ranklet.workflows.from_recipe.own_validation import REMEDY, own_validation
from ranklet.workflows.load import loaded

FEWEST_LABELLED = 2
AGREEMENT = "agreement of the runs"


def estimate(
    model: Model,
    data: Data,
    *,
    others: Sequence[Model] = (),
    validation: Data | None = None,
    columns: Columns = AS_IN_RUN,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> Estimate:
    """Estimate the accuracy of a classifier on texts without labels.

    The classifier is asked about the new texts, about texts with labels that it was not trained on,
    and about copies of these that were shifted on purpose: up to 5,000 texts beside the new ones.

    Args:
        model: A run, an adapter folder, a `ModelSource`, or a loaded classifier.
        data: New texts: a file or a folder of any format that is read; or texts in memory.
            Labels are ignored.
        others: Runs of the same recipe with other seeds. All are about as accurate, so the mean of
            their estimates is nearer the truth; and their agreement is reported.
        validation: Labelled texts that it was not trained on, with the columns of the run, or in
            memory; None: the validation texts of each run, found again by its recipe.
        columns: Where the texts of `data` stand.
        seed: Draws the known texts that are shifted, and the shifts.
        report: Receives a line at each long stage.

    Returns:
        The accuracy to expect, with its 95 % interval and a warning where the texts seem to be of
        another source than everything that the estimate was fitted on.

    Raises:
        DataError: The texts cannot be read, there are none, or the validation texts of the run are
            too few or not to be found again.
        AdapterError: The classifier gives several labels to a text.
        RunError: The others differ from the run by more than their seed, or a bare adapter has no
            validation texts.
        RankletError: A classifier cannot be loaded.
    """
    source, models = as_source(data), [model, *others]
    if others:
        _check_seeds_alone(models)
    texts = [text for _, text in stream_texts(source, reading_as_run(model, columns))]
    if not texts:
        raise DataError("holds no texts", str(source))
    labelled = None if validation is None else as_source(validation)
    prepare_memory()
    outputs = list[EstimatedOutputs]()
    for own in models:
        network = loaded(own, merge=True).network
        if isinstance(network.problem, MultiLabel):
            raise AdapterError(
                f"{name_of(own)}: gives a text several labels; accuracy is estimated for one label "
                "a text"
            )
        basis = learn_shifts(network, _labelled(own, network, labelled), seed, report)
        outputs.append(expect_on_new(network, basis, texts, report))
    return _together(outputs, len(texts))


def _together(outputs: Sequence[EstimatedOutputs], rows: int) -> Estimate:
    """Average what is expected of several runs; with one, say it."""
    every = [run.expected for run in outputs]
    names = every[0].estimators
    by_name = {name: fmean(expected.estimators[name] for expected in every) for name in names}
    if len(outputs) > 1:
        by_name[AGREEMENT] = agreement(np.stack([run.predicted for run in outputs]))
    known = sum(run.known for run in outputs)
    shares = [run.told_apart for run in outputs if run.told_apart is not None]
    return Estimate(
        accuracy=fmean(expected.accuracy for expected in every),
        interval=(
            fmean(expected.interval[0] for expected in every),
            fmean(expected.interval[1] for expected in every),
        ),
        rows=rows,
        validation=share_with_interval(sum(run.hits for run in outputs), known),
        validation_rows=known,
        estimators=by_name,
        warning=next((run.warning for run in every if run.warning is not None), None),
        told_apart=fmean(shares) if shares else None,
    )


def _check_seeds_alone(models: Sequence[Model]) -> None:
    recipes = list[Recipe]()
    for model in models:
        if isinstance(model, TextClassifier):
            raise RunError(f"{name_of(model)}: has no recipe; estimate several by their runs")
        folder = as_model_source(model).folder
        recipe = load_recipe(open_run(folder).recipe).model_copy(update={"seed": 0})
        if recipes and recipe != recipes[0]:
            raise RunError(
                f"{folder}: differs from {name_of(models[0])} by more than its seed; estimate each "
                "by itself"
            )
        recipes.append(recipe)


def _labelled(
    model: Model, network: ClassifierNetwork, validation: str | RowsInMemory | None
) -> EncodedSplit:
    """Return texts with labels that a classifier was not trained on."""
    run = run_of(model)
    if validation is not None:
        texts = read_labelled(validation, "validation", model, network)
    elif run is not None:
        texts = own_validation(run)
    else:
        raise RunError(f"{name_of(model)}: is no run, which would have validation texts; {REMEDY}")
    if len(texts.texts) < FEWEST_LABELLED:
        raise DataError(
            f"holds {len(texts.texts)} texts, and {FEWEST_LABELLED} are needed to estimate from; "
            f"{REMEDY}",
            texts.source,
        )
    return texts
