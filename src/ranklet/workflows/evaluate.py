"""evaluate: every number of a trained classifier on one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ranklet.data.encoded_splits import EncodedSplit, encode
from ranklet.data.reading.sources import Split, read_column, read_examples
from ranklet.encoder.precision import Device, Precision, prepare_memory
from ranklet.errors import AdapterError, DataError
from ranklet.evaluation.answers import (
    answer,
    choose_on_validation,
    judge,
    predictions_of,
    with_threshold,
)
from ranklet.evaluation.result import Evaluation
from ranklet.labels import LabelSet, ProblemType
from ranklet.problem import MultiLabel
from ranklet.recipe import DataSection, load_recipe
from ranklet.run.folder import Run
from ranklet.run.writing import write_wrong
from ranklet.workflows.load import is_run, load


@dataclass(frozen=True)
class Columns:
    """Where texts and labels stand in a file.

    Attributes:
        text: Column of the text, or several, joined by a space.
        label: Column of the label.
    """

    text: str | tuple[str, ...] = "text"
    label: str = "label"


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
    found = judge(model, answers, "test" if data is None else Path(data).name, columns=columns)
    if errors is not None:
        write_wrong(Path(errors), model, answers, predictions_of(model, answers))
    if accuracy is None or chosen is None:
        return found
    return with_threshold(found, model, answers, accuracy, chosen)


def read_labelled(
    source: str,
    split: Split,
    labels: LabelSet,
    section: DataSection | None,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    label_names: Sequence[str] | None = None,
    problem_type: ProblemType,
) -> EncodedSplit:
    """Read texts with labels as a run does, or as the arguments say.

    Args:
        source: File, named set or hub data set.
        split: Part to read of a named set or hub data set.
        labels: Classes of the classifier.
        section: The data section of the run; None for a bare adapter.
        text_column: Column of the text, or several; None: as in the run, else `text`.
        label_column: Column of the label; None: as in the run, else `label`.
        label_names: Label names in the order of integers, where there is no run.
        problem_type: What the classifier answers, and so what the labels are.

    Returns:
        Texts as they stand in the source, not cleaned.

    Raises:
        DataError: The source, a column or a label cannot be used.
        HubError: A hub data set cannot be had.
        MissingExtraError: A parquet file without the extra for it.
    """
    columns = run_columns(section)
    # Integers in a file mean what the recipe says, or the file itself: never a guessed order.
    names = section.label_names if section is not None else label_names
    examples = read_examples(
        source,
        split,
        text_column or columns.text,
        label_column or columns.label,
        names,
        problem_type,
    )
    return encode(examples, labels)


def run_data(path: Path) -> DataSection | None:
    """Return the data section of a run's recipe; None for a bare adapter."""
    return load_recipe(Run(path).recipe).data if is_run(path) else None


def own_test(path: str | Path, section: DataSection | None) -> str:
    """Return the test data of a run.

    Raises:
        DataError: It has none, or it is a bare adapter, whose section is None.
    """
    if section is None or section.test is None:
        raise DataError("no test data; name some with --data", str(path))
    return section.test


def run_columns(section: DataSection | None) -> Columns:
    """Return the column names of a run, or the default ones."""
    return Columns() if section is None else Columns(section.text_column, section.label_column)
