"""From a recipe's data section to texts without labels."""

from __future__ import annotations

from dataclasses import replace

from ranklet.data.cleaning import clean, drop_empty
from ranklet.data.duplicates import normal_form
from ranklet.data.encoded_splits import Splits
from ranklet.data.reading.sources import read_examples
from ranklet.data.texts import in_one
from ranklet.recipe import DataSection
from ranklet.workflows.from_recipe.reading_settings import reading_settings


def read_unlabelled(data: DataSection, splits: Splits) -> tuple[str, ...]:
    """Read the unlabelled texts, cleaned, that occur neither twice nor in a split.

    Args:
        data: The data section of a recipe.
        splits: Its texts with labels.

    Raises:
        DataError: The texts cannot be read.
    """
    if data.unlabelled is None:
        return ()
    settings = replace(reading_settings(data), label_column=None, label_names=None)
    examples, _ = drop_empty(read_examples(data.unlabelled, "train", settings), data.empty)
    used = (splits.train, splits.validation, *([] if splits.test is None else [splits.test]))
    seen = {normal_form(text) for split in used for text in split.texts}
    texts: list[str] = []
    for text in map(in_one, examples.texts):
        cleaned = clean(text, data.cleaning)
        form = normal_form(cleaned)
        if form not in seen:
            seen.add(form)
            texts.append(cleaned)
    return tuple(texts)
