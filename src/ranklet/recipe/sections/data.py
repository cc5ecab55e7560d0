"""The `data` section of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ranklet.recipe.values import STRICT, Count, Distinct, Encoding, Separator, Share, Text
from ranklet.vocabulary import (
    Aggregation,
    CleaningStep,
    DuplicatePolicy,
    EmptyPolicy,
    LongTextMode,
    ProblemType,
    Quoting,
)


class DataSection(BaseModel):
    """Where the texts and labels come from, and what is done to them before training."""

    model_config = STRICT

    train: Text
    """Training texts: a file or a folder, a named set (`newsbites`, `ag_news`) or a hub id such as
    `owner/name`; `#` and a name behind it choose one of several tables (`book.xlsx#Sheet2`,
    `owner/name#configuration`). Relative paths count from the working directory. Required."""

    validation: Annotated[float, Field(gt=0, lt=1)] | Count | Text = 0.1
    """Texts that choose the best weights: a share of the training texts, a number of rows out of
    them, or a file or named set of its own. Default: 0.1."""

    test: Text | None = None
    """Texts for the final figures only, written as `train` is; null: no test figures.
    Default: null."""

    unlabelled: Text | None = None
    """More training texts, without labels: a teacher labels them (`distillation.teacher`) or,
    without one, the classifier itself after its contrastive start (`training.contrastive_steps`),
    which then goes on with those that it is surest of. Texts that also occur in train, validation
    or test are left out. Default: null."""

    text_column: Text | Annotated[Distinct[Text], Field(min_length=1)] = "text"
    """Column of the text; several columns are joined by one space, in this order.
    Default: text."""

    label_column: Text = "label"
    """Column of the label. Default: label."""

    label_columns: Annotated[Distinct[Text], Field(min_length=2)] | None = None
    """One column for each label, in place of `label_column`: 1 or true where a text has it, 0 or
    false where it has not; null: labels stand in one column. Default: null."""

    label_separator: Separator | None = None
    """What stands between the labels of a cell, where a text may have several: `comma`,
    `semicolon`, `bar`, or a character; null: as the cells show. Default: null."""

    separator: Separator | None = None
    """What stands between the cells of delimited files: `comma`, `semicolon`, `tab`, `bar`, or a
    character; null: as each file shows. Default: null."""

    quoting: Quoting | None = None
    """What stands around cells that hold a separator or a line end: double quotes, single quotes,
    or nothing at all; null: as each file shows. Default: null."""

    encoding: Encoding | None = None
    """Encoding of text files, such as `utf-8`, `cp1252` or `utf-16`; null: as each file shows.
    Default: null."""

    columns: Annotated[Distinct[Text], Field(min_length=1)] | None = None
    """Names of the columns of delimited files without a header line; null: the first line names
    them. Default: null."""

    problem_type: ProblemType = "single_label_classification"
    """Whether a text has exactly one label, or any number of them, none included: cells of names
    with `label_separator` between them, or lists, each label decided by a threshold tuned on
    validation; the words are transformers'. Default: single_label_classification."""

    label_names: Annotated[Distinct[Text], Field(min_length=2)] | None = None
    """Names for integer labels, in the order of these; null: labels are used as they are written.
    Default: null."""

    label_values: Annotated[Distinct[int], Field(min_length=2)] | None = None
    """The integers that `label_names` stand for; null: those in the training texts where there is
    one for each name, else 0 and upwards. Default: null."""

    max_length: Annotated[int, Field(ge=3, le=8192)] = 128
    """Longest text in tokens, special tokens included; `long_texts` says what happens to longer
    ones. Default: 128."""

    long_texts: LongTextMode = "head"
    """What is read of a text of more than `max_length` tokens, the same in training and prediction:
    its beginning; the first quarter and the rest from its end (arXiv:1905.05583); or all of it, in
    overlapping windows, each of which trains as a text and which together count as one.
    Default: head."""

    window_overlap: Share | None = None
    """Share of a window that the next one repeats; null: 0.25. Default: null."""

    window_aggregation: Aggregation | None = None
    """What the probabilities of a text's windows become: their mean; the largest of each label,
    divided by their sum; or the mean over the windows that agree with the majority; null: mean.
    Default: null."""

    cleaning: Distinct[CleaningStep] = ()
    """Cleaning steps in this order, the same in training and prediction: HTML entities and tags,
    the broken entities and backslashes of AG News, runs of white space. Default: []."""

    min_words: Count | None = None
    """Training texts with fewer words are left out; null: no limit. Default: null."""

    max_words: Count | None = None
    """Training texts with more words are left out; null: no limit. Default: null."""

    duplicates: DuplicatePolicy = "drop"
    """Training texts that equal another training, validation or test text, where the labels agree
    but for case and punctuation: leave them out, stop with an error, or train on them.
    Default: drop."""

    empty: EmptyPolicy = "drop"
    """Training rows without a text, also once cleaned: leave them out, stop with an error, or train
    on them. Missing values (null, NaN) are empty texts. Everything that is evaluated or predicted
    gets an answer, unless it is refuse. Default: drop."""

    pair: bool = False
    """Read the two columns of `text_column` as a pair, with the encoder's separator between them,
    as a premise and a hypothesis; the longer one is cut first. Default: false."""
