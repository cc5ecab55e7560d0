"""Lengths and labels of the texts, counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ranklet.errors import RunError
from ranklet.evaluation.data_description import (
    DataDescription,
    count_labels,
    count_lengths,
)
from ranklet.json_values import from_values, to_values


def test_short_texts_have_a_bin_for_each_length():
    found = count_lengths({"train": [1, 1, 3], "test": np.array([2])}, {"max_words": 3})
    assert found.starts == (0, 1, 2, 3)
    assert found.texts == {"train": (0, 2, 0, 1), "test": (0, 0, 1, 0)}
    assert found.limits == {"max_words": 3}


def test_the_longest_texts_share_the_last_bin():
    lengths = [*range(1_000), 50_000]
    found = count_lengths({"train": lengths}, {})
    width = found.starts[1]
    assert width == 25  # 99.5 % of 1,001 texts have at most 995
    assert len(found.starts) == 40
    assert found.texts["train"][0] == 25
    assert found.texts["train"][-1] == 26
    assert sum(found.texts["train"]) == len(lengths)


def test_labels_are_counted_one_or_several_a_text():
    assert count_labels(np.array([0, 2, 2]), 4) == (1, 0, 2, 0)
    assert count_labels(np.array([[1, 0], [1, 1], [0, 0]]), 2) == (2, 1)


def test_json_gives_the_description_back():
    lengths = count_lengths({"train": [1, 2], "test": [3]}, {"min_words": 2})
    whole = DataDescription(lengths, lengths, ("a",), {"train": 2}, {"train": (2,)})
    values = json.loads(json.dumps(to_values(whole)))
    assert from_values(DataDescription, values, "f", "r") == whole
    with pytest.raises(RunError, match=r"^data\.json: words: not as written; train again"):
        from_values(DataDescription, {}, "data.json", "train again")
