"""From a recipe's data section to cleaned, checked, encoded splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from ranklet.data.cleaning import clean_text, drop_empty, filter_by_words, is_within
from ranklet.data.duplicates import resolve_duplicates
from ranklet.data.encoded_splits import Splits, encode
from ranklet.data.examples import Examples, distinct_labels
from ranklet.data.reading.memory import IN_MEMORY, Data, RowsInMemory, as_source
from ranklet.data.reading.sources import read_examples
from ranklet.data.splits import split_validation
from ranklet.data.texts import in_one
from ranklet.data.words import count_words
from ranklet.errors import DataError, RecipeError, RecipeIssue
from ranklet.labels import LabelSet, names_of
from ranklet.recipe import DataSection, Recipe
from ranklet.recipe.recipe import contradictions
from ranklet.vocabulary import Split
from ranklet.workflows.from_recipe.reading_settings import every_row, reading_settings

InMemoryBySplit = Mapping[Split, RowsInMemory]
NOTHING: InMemoryBySplit = MappingProxyType({})


def read_splits(
    data: DataSection,
    seed: int,
    in_memory: InMemoryBySplit = NOTHING,
    validation_size: Callable[[int], float] | None = None,
) -> Splits:
    """Read, clean, check and split the data of a recipe.

    Empty texts and duplicates are looked for after cleaning, and left out of the training rows
    only; the labels are those of before. The validation rows are taken out of the training rows
    that are left; the word limits then touch the training rows only.

    Args:
        data: The data section of a recipe.
        seed: Seed of the validation split.
        in_memory: What the recipe only calls texts in memory, by split.
        validation_size: Gives the share of so many training rows that validation takes, where the
            recipe leaves it open.

    Raises:
        DataError: A source, row or label cannot be used, or duplicates are refused.
        HubError: A hub data set cannot be had.
        MissingExtraError: A parquet file without the extra for it.
    """
    train = _read_cleaned(data, in_memory.get("train", data.train), "train")
    if train.label_values is not None:
        data = data.model_copy(update={"label_values": train.label_values})
    test = (
        None if data.test is None else _read_cleaned(data, in_memory.get("test", data.test), "test")
    )
    read = {"train": train, "test": test}
    if isinstance(data.validation, str):
        source = in_memory.get("validation", data.validation)
        read["validation"] = _read_cleaned(data, source, "validation")
    labels = _label_set(train)
    filled, empty = drop_empty(train, data.empty)
    distinct, duplicates = resolve_duplicates(filled, read.get("validation"), test, data.duplicates)
    _check_labels_left(train, filled, distinct)
    train, validation = distinct, read.get("validation")
    if validation is None:
        assert not isinstance(data.validation, str)
        size = validation_size(len(distinct)) if validation_size else data.validation
        train, validation = split_validation(distinct, size, seed)
    within, _ = filter_by_words(train, data.min_words, data.max_words)
    return Splits(
        labels=labels,
        train=encode(within, labels),
        validation=encode(validation, labels),
        test=None if test is None else encode(test, labels),
        duplicates=duplicates,
        empty=empty,
        filtered_words=_words_outside(train, data.min_words, data.max_words),
        sha256={split: rows.sha256 for split, rows in read.items() if rows and rows.sha256},
        label_values=train.label_values,
        spellings=train.spellings,
        traits=_all_of(rows.traits for rows in read.values() if rows),
        notes=_all_of(rows.notes for rows in read.values() if rows),
    )


def with_sources(
    recipe: Recipe,
    data: Data | None,
    validation: Data | float | None = None,
    test: Data | None = None,
) -> tuple[Recipe, InMemoryBySplit]:
    """Put what a caller hands over in the place of what a recipe names.

    Where there are training texts, the recipe's own validation and test data, which are others',
    are left out; its share or number of validation rows stays.

    Args:
        recipe: The recipe.
        data: Training texts; None: the recipe's.
        validation: Texts, a share or a number of rows; None: the recipe's.
        test: Test texts; None: the recipe's.

    Returns:
        The recipe, which only says of texts in memory that they are such, and these by split.

    Raises:
        DataError: Something else than texts.
        RecipeError: They contradict the recipe.
    """
    changes: dict[str, str | float | None] = {}
    if data is not None:
        changes["test"] = None
        if isinstance(recipe.data.validation, str):
            changes["validation"] = DataSection.model_fields["validation"].default
    in_memory: dict[Split, RowsInMemory] = {}
    given: dict[Split, Data | float | None] = {
        "train": data,
        "validation": validation,
        "test": test,
    }
    for split, value in given.items():
        if value is None:
            continue
        source = value if isinstance(value, int | float) else as_source(value)
        if isinstance(source, RowsInMemory):
            in_memory[split], source = source, IN_MEMORY
        changes[split] = source
    if not changes:
        return recipe, in_memory
    changed = recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})
    found = contradictions(changed)
    if found:
        raise RecipeError([RecipeIssue("", pair.fields[0], pair.message) for pair in found])
    return changed, in_memory


def _read_cleaned(data: DataSection, source: Data, split: Split) -> Examples:
    """Read one split by the column names and cleaning steps of a recipe."""
    settings = reading_settings(data)
    examples = read_examples(source, split, settings if split == "train" else every_row(settings))
    texts = tuple(clean_text(text, data.cleaning) for text in examples.texts)
    return replace(examples, texts=texts)


def _check_labels_left(train: Examples, filled: Examples, distinct: Examples) -> None:
    """Refuse a training that would not see a label which its file has."""
    for before, after, why, field in (
        (train, filled, "has an empty text", "empty"),
        (filled, distinct, "is a duplicate or occurs in validation or test", "duplicates"),
    ):
        lost = _names(before) - _names(after)
        if lost:
            message = (
                f"every row of label {min(lost)!r} {why}; add rows, or set data.{field} to keep"
            )
            raise DataError(message, train.source)


def _names(examples: Examples) -> set[str]:
    return {name for label in set(examples.labels or ()) for name in names_of(label)}


def _words_outside(train: Examples, low: int | None, high: int | None) -> tuple[int, ...]:
    words = map(count_words, map(in_one, train.texts))
    return tuple(count for count in words if not is_within(count, low, high))


def _all_of(words: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(words)))


def _label_set(train: Examples) -> LabelSet:
    if train.label_names is not None:
        return LabelSet(train.label_names)
    return distinct_labels(train)
