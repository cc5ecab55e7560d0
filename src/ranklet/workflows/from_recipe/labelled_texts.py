"""Labelled texts as a run reads them: its columns, its label names, its own test data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit, encode
from ranklet.data.reading.columns import AS_IN_RUN, Columns, with_columns
from ranklet.data.reading.memory import IN_MEMORY, Data, RowsInMemory, as_source
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples
from ranklet.errors import DataError
from ranklet.recipe import DataSection, load_recipe
from ranklet.run.model_source import Model, as_model_source, classifier_folder, name_of, run_of
from ranklet.saved.model import reads_pairs
from ranklet.text_classifier import TextClassifier
from ranklet.vocabulary import Split
from ranklet.workflows.from_recipe.reading_settings import every_row, reading_settings


def read_labelled(
    source: Data,
    split: Split,
    model: Model,
    network: ClassifierNetwork,
    columns: Columns = AS_IN_RUN,
) -> EncodedSplit:
    """Read texts with labels as a classifier's run does, or as the arguments say.

    Args:
        source: File, named set or hub data set; or texts in memory.
        split: Part to read of a named set or hub data set.
        model: What the classifier was loaded from: a run's columns and label names are used.
        network: The classifier, whose classes and kind of answer the labels are.
        columns: Where texts and labels stand.

    Returns:
        Texts as they stand in the source, not cleaned.

    Raises:
        DataError: The source, a column or a label cannot be used.
        HubError: A hub data set cannot be had.
        MissingExtraError: A parquet file without the extra for it.
    """
    settings = replace(reading_as_run(model, columns), problem_type=network.problem.problem_type)
    return encode(read_examples(source, split, settings), network.labels)


def run_data(model: Model) -> DataSection | None:
    """Return the data section of a run's recipe; None of a bare adapter and of one loaded."""
    run = run_of(model)
    return None if run is None else load_recipe(run.recipe).data


def data_or_own_test(model: Model, data: Data | None) -> tuple[str | RowsInMemory, str]:
    """Return labelled texts and what an evaluation calls them.

    Args:
        model: Whose test data they are where none are given.
        data: What was given; None: the test data of the run.

    Returns:
        The texts, and `test`, the name of the file, or that they were in memory.

    Raises:
        DataError: There are none.
    """
    if data is not None:
        source = as_source(data)
        return source, name_of_data(source)
    if isinstance(model, TextClassifier):
        raise DataError("has no test data of its own; give labelled texts as data", name_of(model))
    section = run_data(model)
    if section is None or section.test is None:
        raise DataError("no test data; name some with --data", name_of(model))
    return section.test, "test"


def name_of_data(source: str | RowsInMemory) -> str:
    """Return what an evaluation calls texts: the last part of their name."""
    return Path(source).name if isinstance(source, str) else IN_MEMORY


def reading_as_run(model: Model, columns: Columns = AS_IN_RUN) -> ReadingSettings:
    """Return how texts are read: as the arguments say, as the run does, or by default.

    Integers in a file mean what the recipe says, or the file itself: never a guessed order. Only
    for an adapter that carries no label names, a caller gives them.
    """
    section = run_data(model)
    settings = ReadingSettings() if section is None else reading_settings(section)
    if isinstance(model, TextClassifier):
        settings = replace(settings, pair=model.settings.pair)
    elif section is None:
        source = as_model_source(model)
        pair = reads_pairs(classifier_folder(source.folder))
        settings = replace(settings, label_names=source.label_names, pair=pair)
    return every_row(with_columns(settings, columns))
