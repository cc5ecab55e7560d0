"""The rows of a submission, made after the sample of the contest, and its record."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ranklet.classifier import ClassifierNetwork
from ranklet.data.hints import listed
from ranklet.data.reading.memory import Data
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import columns_of, read_column, stream_texts
from ranklet.errors import DataError
from ranklet.files import open_atomically, sha256_file
from ranklet.labels import Label, names_of
from ranklet.lora.adapter_file import TENSORS_FILE
from ranklet.problem import MultiLabel, Problem
from ranklet.run.folder import write_json
from ranklet.run.model_source import Model, as_model_source, classifier_folder, run_of
from ranklet.run.reading import read_data_description
from ranklet.text_classifier import TextClassifier
from ranklet.vocabulary import LabelForm
from ranklet.workflows._predict.sample import (
    Sample,
    SubmittedLabels,
    choose_form,
    match_rows,
    read_sample,
)

DIGITS = 9


@dataclass(frozen=True)
class Submission:
    """How the answers of a contest are written.

    Attributes:
        sample: File with the header, the ids and the form of the answers.
        label_form: How a label is written; None: as in the sample, where that is certain.
        positive: The label whose probability is written where there is one column of them.
        rows: Whose rows are written where sample and test file disagree; None: they must not.
    """

    sample: str
    label_form: LabelForm | None = None
    positive: str | None = None
    rows: str | None = None


@dataclass(frozen=True)
class Draft:
    """A submission before its answers.

    Attributes:
        submission: What was asked for.
        sample: What the sample says.
        form: How labels are written.
        matched: Id of each row and which text it is.
    """

    submission: Submission
    sample: Sample
    form: LabelForm
    matched: Sequence[tuple[str, int]]


def spellings(model: Model, network: ClassifierNetwork) -> SubmittedLabels:
    """Return the labels of a classifier, and how the file that it was trained on writes them."""
    run, names = run_of(model), network.labels.names
    described = None if run is None else read_data_description(run)
    values = None if described is None else described.label_values
    return SubmittedLabels(names, values or names, isinstance(network.problem, MultiLabel))


def prepare_submission(
    submission: Submission, labels: SubmittedLabels, source: Data, settings: ReadingSettings
) -> Draft:
    """Read the sample of a contest and check that the texts are those it asks for.

    Args:
        submission: What is asked for.
        labels: Their spellings.
        source: The texts of the contest.
        settings: How they are read.

    Raises:
        DataError: The sample, or its ids beside those of the texts, cannot be used.
    """
    columns = columns_of(source, settings)
    sample = read_sample(submission.sample, columns)
    form = submission.label_form or choose_form(sample, labels)
    if sample.id_column in columns:
        ids = read_column(source, "test", sample.id_column, settings.dialect)
        texts = len(ids)
    else:
        ids, texts = None, sum(1 for _ in stream_texts(source, settings))
    return Draft(submission, sample, form, match_rows(sample, ids, texts, submission.rows))


def write_submission(
    output: Path,
    draft: Draft,
    labels: SubmittedLabels,
    problem: Problem,
    probabilities: NDArray[np.float32],
    model: Model,
) -> None:
    """Write a submission, and beside it `NAME.json`: how labels were written, and by which model.

    Args:
        output: csv file.
        draft: What it is to hold.
        labels: Their spellings.
        problem: Turns probabilities into labels.
        probabilities: (texts, labels) probability of each label.
        model: Who answered.

    Raises:
        DataError: The form does not go with the columns of the sample.
        RunError: A file cannot be written.
    """
    answers = problem.answers(probabilities, labels.names)
    rows = list(submission_rows(draft, labels, answers, probabilities))
    with open_atomically(output) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(draft.sample.header)
        table.writerows(rows)
    written = {
        name: _spelling(draft.form, place, labels) for place, name in enumerate(labels.names)
    }
    record = {
        "sample": Path(draft.sample.source).name,
        "label_form": draft.form,
        "labels": written,
        "rows": len(rows),
        "submission_sha256": sha256_file(output),
        "model_sha256": _weights_sha256(model),
    }
    write_json(output.with_suffix(".json"), record)


def _weights_sha256(model: Model) -> str | None:
    """Return the hash of the file that a classifier's trained weights are in; None without one."""
    if isinstance(model, TextClassifier):
        return None
    folder = classifier_folder(as_model_source(model).folder)
    paths = (folder / name for name in (TENSORS_FILE, "model.safetensors"))
    return next((sha256_file(path) for path in paths if path.is_file()), None)


def submission_rows(
    draft: Draft,
    labels: SubmittedLabels,
    answers: Sequence[Label],
    probabilities: NDArray[np.float32],
) -> Iterator[list[str]]:
    """Yield the rows of a submission, in the columns of its sample.

    Args:
        draft: Its sample, form and rows.
        labels: Their spellings.
        answers: Label of each text.
        probabilities: (texts, labels) probability of each label.

    Raises:
        DataError: A form that does not go with the columns of the sample.
    """
    sample, form = draft.sample, draft.form
    columns = list(sample.answers)
    many = len(columns) > 1
    if many != (form == "indicator") and form != "probability":
        message = f"--label-form {form} does not go with the answer columns {listed(columns)}"
        raise DataError(message, sample.source)
    places: Sequence[int] = ()
    if many:
        places = _places(columns, labels)
    elif form == "probability":
        places = [_positive(labels, draft.submission.positive, sample)]
    for name, row in draft.matched:
        names = names_of(answers[row])
        if form == "probability":
            cells = _shares(probabilities[row], places, adding_up=not labels.several)
        elif form == "indicator":
            cells = [str(int(labels.names[place] in names)) for place in places]
        else:
            spelled = (_spelling(form, labels.names.index(own), labels) for own in names)
            cells = [" ".join(spelled)]
        by_column = dict(zip(columns, cells, strict=True)) | {sample.id_column: name}
        yield [by_column[column] for column in sample.header]


def _places(columns: Sequence[str], labels: SubmittedLabels) -> list[int]:
    """Return the label of each column, whichever spelling names it."""
    spellings = labels.names if set(columns) == set(labels.names) else labels.values
    return [spellings.index(column) for column in columns]


def _positive(labels: SubmittedLabels, positive: str | None, sample: Sample) -> int:
    """Return the label whose probability a single column holds."""
    (column,) = sample.answers
    if len(labels.names) != 2 or labels.several:
        message = f"one column of probabilities, {column!r}, and {len(labels.names)} labels"
        raise DataError(f"{message}; one column is for two labels", sample.source)
    spelled = positive or (column if column in (*labels.names, *labels.values) else None)
    if spelled is None and labels.values == ("0", "1"):
        return 1
    for spellings in (labels.names, labels.values):
        if spelled in spellings:
            return spellings.index(spelled)
    message = f"whose probability stands in {column!r}? name the label, such as --positive"
    raise DataError(f"{message} {labels.names[1]!r}", sample.source)


def _spelling(form: LabelForm, index: int, labels: SubmittedLabels) -> str:
    match form:
        case "value":
            return labels.values[index]
        case "position":
            return str(index)
        case _:
            return labels.names[index]


def _shares(row: NDArray[np.float32], places: Sequence[int], adding_up: bool) -> list[str]:
    """Write probabilities in plain decimals; those of one label a text sum to 1."""
    wide = row.astype(np.float64)
    if adding_up:
        wide /= wide.sum()
    return [f"{wide[place]:.{DIGITS}f}" for place in places]
