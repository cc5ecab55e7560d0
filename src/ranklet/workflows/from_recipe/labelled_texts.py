"""Labelled texts as a run reads them: its columns, its label names, its own test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ranklet.data.encoded_splits import EncodedSplit, encode
from ranklet.data.reading.sources import Split, read_examples
from ranklet.errors import DataError
from ranklet.labels import LabelSet
from ranklet.recipe import DataSection, load_recipe
from ranklet.run.folder import Run
from ranklet.vocabulary import ProblemType
from ranklet.workflows.load import is_run


@dataclass(frozen=True)
class Columns:
    """Where texts and labels stand in a file.

    Attributes:
        text: Column of the text, or several, joined by a space.
        label: Column of the label.
    """

    text: str | tuple[str, ...] = "text"
    label: str = "label"


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
