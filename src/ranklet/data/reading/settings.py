"""What is read of a source, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.vocabulary import EmptyPolicy, ProblemType


@dataclass(frozen=True)
class ReadingSettings:
    """Which columns of a source are read, and what they mean.

    Attributes:
        text_column: Column of the text, or several, joined by a space.
        label_column: Column of the label; None: the labels are not read.
        label_names: Names of integer labels; None: labels are names already. Parquet files and
            tables in memory that carry class names use those.
        problem_type: Whether a text has one label or any number of them.
        empty: `refuse`: an empty text is an error; `keep`: it is a text; `drop`: so too, since its
            label counts, but one without a label is left out.
        pair: Whether a row holds two texts that are read together, of two text columns.
        dialect: How delimited files are written.
        label_columns: One column for each label, in place of `label_column`, which then only says
            whether labels are read.
        label_separator: What stands between the labels of a cell; None: as the cells show.
        label_values: The integers that `label_names` stand for; None: those that occur in training
            texts, if there is one for each, else 0 .. n-1.
    """

    text_column: str | Sequence[str] = "text"
    label_column: str | None = "label"
    label_names: Sequence[str] | None = None
    problem_type: ProblemType = "single_label_classification"
    empty: EmptyPolicy = "keep"
    pair: bool = False
    dialect: Dialect = AS_WRITTEN
    label_columns: Sequence[str] | None = None
    label_separator: str | None = None
    label_values: Sequence[int] | None = None


PLAIN = ReadingSettings()
"""The columns `text` and `label`, one label a text."""
