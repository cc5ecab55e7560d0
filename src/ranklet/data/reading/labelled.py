"""From what stands in label columns to the labels of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ranklet.data.examples import Examples
from ranklet.data.reading.label_cells import RawLabel
from ranklet.data.reading.label_column import (
    Place,
    label_sets,
    refuse_measurements,
    single_labels,
)
from ranklet.data.reading.label_names import names_by_label, occurring_integers, renamed
from ranklet.data.reading.settings import ReadingSettings


def with_labels(
    examples: Examples,
    cells: Sequence[RawLabel],
    settings: ReadingSettings,
    class_names: Sequence[str] | None,
    is_training: bool,
) -> Examples:
    """Return texts with their labels.

    Args:
        examples: The texts.
        cells: What stands in the label columns of each.
        settings: What labels mean.
        class_names: What the source itself calls the integers 0 .. n-1.
        is_training: Whether these are the texts that fix what labels there are.

    Raises:
        DataError: A cell that is no label, or not of the kind of problem.
    """
    column = settings.label_column or ""
    if settings.label_columns is not None:
        column = " + ".join(settings.label_columns)
    place = Place(examples.source, column, examples.lines)
    if settings.problem_type == "single_label_classification":
        read = single_labels(cells, place)
        if is_training and not (settings.label_names or class_names):
            refuse_measurements(read.labels, place)
    else:
        read = label_sets(cells, settings.label_separator, is_training, place)
    notes = (*examples.notes, *read.notes)
    labelled = replace(examples, labels=read.labels, notes=notes, spellings=read.spellings)
    names = settings.label_columns or settings.label_names or class_names
    if names is None:
        return labelled
    values = settings.label_values
    if values is None and is_training and settings.label_names:
        values = occurring_integers(read.labels, names)
    by_label = names_by_label(labelled, names, values)
    return replace(
        labelled,
        labels=tuple(renamed(label, by_label) for label in read.labels),
        label_names=tuple(names),
        label_values=None if values is None else tuple(values),
        spellings={name: read.spellings[label] for label, name in by_label.items()},
    )
