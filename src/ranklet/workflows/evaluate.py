"""Every number of a trained classifier on one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ranklet.data.reading.sources import read_column
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import AdapterError, RunError
from ranklet.evaluation.answers import answer, evaluate_answers, predictions_of, with_threshold
from ranklet.evaluation.predictions import read_predictions
from ranklet.evaluation.result import Evaluation
from ranklet.evaluation.selective import Coverage, choose_threshold
from ranklet.problem import MultiLabel
from ranklet.run.folder import Run
from ranklet.run.writing import write_errors
from ranklet.vocabulary import Device, Precision
from ranklet.workflows.from_recipe.labelled_texts import own_test, read_labelled, run_data
from ranklet.workflows.load import load


def evaluate(
    path: str | Path,
    data: str | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    encoder: str | None = None,
    label_names: Sequence[str] | None = None,
    slice_by: Sequence[str] = (),
    accuracy: float | None = None,
    errors: str | Path | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
) -> Evaluation:
    """Evaluate a trained classifier.

    Args:
        path: A run, or an adapter folder.
        data: File, named set or hub data set with labels; None: the test data of the run.
        text_column: Column of the text, or several; None: as in the run, else `text`.
        label_column: Column of the label; None: as in the run, else `label`.
        encoder: Used instead of the encoder that the adapter names.
        label_names: Label names in the order of the logits, for an adapter that carries none.
        slice_by: Further columns of the data to tell texts apart by.
        accuracy: Wanted share, 0..1: finds the smallest confidence above which it was reached on
            the validation texts of the run, and what it gives here.
        errors: csv file to write with the texts that are labelled wrong.
        device: Where it computes.
        precision: Compute dtype of the frozen weights.

    Returns:
        Every number with its 95 % interval.

    Raises:
        DataError: No data is named, or it cannot be used.
        RunError: The run has no validation predictions of one label a text, the accuracy is not
            reached on them, or the errors cannot be written.
        AdapterError: `errors` where a text may have several labels.
        RankletError: The classifier cannot be loaded.
    """
    section = run_data(Path(path))
    source = data or own_test(path, section)
    columns = {column: read_column(source, "test", column) for column in slice_by}
    chosen = None if accuracy is None else choose_on_validation(Run(Path(path)), accuracy)
    prepare_memory()
    model = load(path, encoder=encoder, labels=label_names, device=device, precision=precision)
    test = read_labelled(
        source,
        "test",
        model.labels,
        section,
        text_column=text_column,
        label_column=label_column,
        label_names=label_names,
        problem_type=model.problem.problem_type,
    )
    if errors is not None and isinstance(model.problem, MultiLabel):
        raise AdapterError(
            f"{path}: gives a text several labels; errors are written of one label, omit them"
        )
    answers = answer(model, test.texts, model.corpus(test.texts, test.labels))
    found = evaluate_answers(
        model, answers, "test" if data is None else Path(data).name, columns=columns
    )
    if errors is not None:
        write_errors(Path(errors), model, answers, predictions_of(model, answers))
    if accuracy is None or chosen is None:
        return found
    return with_threshold(found, model, answers, accuracy, chosen)


def choose_on_validation(run: Run, wanted: float) -> Coverage:
    """Find the smallest confidence above which a run reached an accuracy on its validation texts.

    Args:
        run: Holds what the classifier said about them.
        wanted: Accuracy, 0..1.

    Raises:
        RunError: The run holds no such predictions, or no threshold reaches the accuracy.
    """
    path = run.predictions("validation")
    held = read_predictions(path)
    if held.confidence is None or not len(held.right):
        raise RunError(f"{path}: holds no confidence; a threshold is for one label a text")
    chosen = choose_threshold(held.confidence, held.right, wanted)
    if chosen is None:
        raise RunError(
            f"{path}: no confidence has {wanted:.2%} of the texts above it right; ask for less"
        )
    return chosen
