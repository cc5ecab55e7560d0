"""From a recipe's data section to cleaned, checked, encoded splits."""

from __future__ import annotations

from dataclasses import replace

from ranklet.data.cleaning import clean, count_words, filter_by_words, is_within
from ranklet.data.duplicates import resolve_duplicates
from ranklet.data.encoded_splits import Splits, encode
from ranklet.data.examples import Examples, distinct_labels
from ranklet.data.reading.sources import Split, read_examples
from ranklet.data.splits import split_validation
from ranklet.labels import LabelSet
from ranklet.recipe import DataSection


def read_splits(data: DataSection, seed: int) -> Splits:
    """Read, clean, check and split the data of a recipe.

    Duplicates are looked for after cleaning. The validation rows are taken out of the training rows
    that are left; the word limits then touch the training rows only.

    Args:
        data: The data section of a recipe.
        seed: Seed of the validation split.

    Raises:
        DataError: A source, row or label cannot be used, or duplicates are refused.
        HubError: A hub data set cannot be had.
        MissingExtraError: A parquet file without the extra for it.
    """
    train = read_cleaned(data, data.train, "train")
    test = None if data.test is None else read_cleaned(data, data.test, "test")
    if isinstance(data.validation, str):
        validation = read_cleaned(data, data.validation, "validation")
        train, duplicates = resolve_duplicates(train, validation, test, data.duplicates)
        labels = _label_set(train)
    else:
        train, duplicates = resolve_duplicates(train, None, test, data.duplicates)
        labels = _label_set(train)
        train, validation = split_validation(train, data.validation, seed)
    kept, _ = filter_by_words(train, data.min_words, data.max_words)
    return Splits(
        labels=labels,
        train=encode(kept, labels),
        validation=encode(validation, labels),
        test=None if test is None else encode(test, labels),
        duplicates=duplicates,
        filtered_words=_words_outside(train, data.min_words, data.max_words),
    )


def read_cleaned(data: DataSection, source: str, split: Split) -> Examples:
    """Read one split by the column names and cleaning steps of a recipe."""
    examples = read_examples(
        source, split, data.text_column, data.label_column, data.label_names, data.problem_type
    )
    return replace(examples, texts=tuple(clean(text, data.cleaning) for text in examples.texts))


def _words_outside(train: Examples, low: int | None, high: int | None) -> tuple[int, ...]:
    words = map(count_words, train.texts)
    return tuple(count for count in words if not is_within(count, low, high))


def _label_set(train: Examples) -> LabelSet:
    if train.label_names is not None:
        return LabelSet(train.label_names)
    return distinct_labels(train)
