"""Every number of a trained classifier on labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ranklet.data.reading.columns import AS_IN_RUN, Columns
from ranklet.data.reading.memory import Data
from ranklet.data.reading.sources import read_column
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import AdapterError, RunError
from ranklet.evaluation.answers import answer, evaluate_answers, predictions_of, with_threshold
from ranklet.evaluation.predictions import read_predictions
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.selective import Coverage, choose_threshold
from ranklet.problem import MultiLabel
from ranklet.run.folder import Run
from ranklet.run.model_source import Model, name_of, run_of
from ranklet.run.writing import write_errors
from ranklet.workflows.from_recipe.labelled_texts import (
    data_or_own_test,
    read_labelled,
    reading_as_run,
)
from ranklet.workflows.load import loaded


def evaluate(
    model: Model,
    data: Data | None = None,
    *,
    columns: Columns = AS_IN_RUN,
    slice_by: Sequence[str] = (),
    accuracy: float | None = None,
    errors: str | Path | None = None,
) -> Evaluation:
    """Evaluate a trained classifier.

    Args:
        model: A run, an adapter folder, a `ModelSource`, or a loaded classifier.
        data: File, named set or hub data set with labels, or texts and labels in memory; None: the
            test data of the run.
        columns: Where texts and labels stand in a file or table.
        slice_by: Further columns of the data to tell texts apart by.
        accuracy: Wanted share, 0..1: finds the smallest confidence above which it was reached on
            the validation texts of the run, and what it gives here.
        errors: csv file to write with the texts that are labelled wrong.

    Returns:
        Every number with its 95 % interval.

    Raises:
        DataError: No data is named, or it cannot be used.
        RunError: There is no run with validation predictions of one label a text, the accuracy is
            not reached on them, or the errors cannot be written.
        AdapterError: `errors` where a text may have several labels.
        RankletError: The classifier cannot be loaded.
    """
    source, name = data_or_own_test(model, data)
    dialect = reading_as_run(model, columns).dialect
    cells = {column: read_column(source, "test", column, dialect) for column in slice_by}
    threshold = None if accuracy is None else choose_on_validation(_required_run(model), accuracy)
    prepare_memory()
    network = loaded(model).network
    test = read_labelled(source, "test", model, network, columns)
    if errors is not None and isinstance(network.problem, MultiLabel):
        raise AdapterError(
            f"{name_of(model)}: gives a text several labels; errors are written of one label, omit "
            "them"
        )
    answers = answer(network, test.texts, network.corpus(test.texts, test.labels))
    evaluation = evaluate_answers(network, answers, name, columns=cells)
    if errors is not None:
        write_errors(Path(errors), network, answers, predictions_of(network, answers))
    if accuracy is None or threshold is None:
        return evaluation
    return with_threshold(evaluation, network, answers, accuracy, threshold)


def _required_run(model: Model) -> Run:
    run = run_of(model)
    if run is None:
        raise RunError(
            f"{name_of(model)}: is no run, whose validation texts an accuracy is chosen on; name "
            "one, or ask for none"
        )
    return run


def choose_on_validation(run: Run, wanted: float) -> Coverage:
    """Find the smallest confidence above which a run reached an accuracy on its validation texts.

    Args:
        run: Holds what the classifier said about them.
        wanted: Accuracy, 0..1.

    Raises:
        RunError: The run holds no such predictions, or no threshold reaches the accuracy.
    """
    path = run.predictions("validation")
    predictions = read_predictions(path)
    if predictions.confidence is None or not len(predictions.right):
        raise RunError(f"{path}: holds no confidence; a threshold is for one label a text")
    threshold = choose_threshold(predictions.confidence, predictions.right, wanted)
    if threshold is None:
        raise RunError(
            f"{path}: no confidence has {wanted:.2%} of the texts above it right; ask for less"
        )
    return threshold
