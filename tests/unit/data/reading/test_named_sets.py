"""The bundled sample: complete, balanced, and no item near another."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import pytest

from ranklet.data.duplicates import normal_form, resolve_duplicates
from ranklet.data.examples import Examples
from ranklet.data.reading.named_sets import bundled_file
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples
from ranklet.errors import DataError

SHINGLE_WORDS = 5
MOST_SHARED = 0.1


def read(split: str) -> Examples:
    return read_examples("newsbites", split, ReadingSettings("text", "label", None))  # type: ignore[arg-type]


@pytest.mark.parametrize(("split", "rows"), [("train", 160), ("test", 40)])
def test_each_split_is_balanced_and_shuffled(split: str, rows: int) -> None:
    examples = read(split)
    labels = examples.labels or ()
    assert Counter(labels) == dict.fromkeys(("World", "Sports", "Business", "Sci/Tech"), rows)
    assert len(set(labels[:20])) == 4
    assert all(3 <= len(text.split()) <= 100 for text in examples.texts)


def test_there_is_no_validation_split() -> None:
    with pytest.raises(DataError, match="newsbites: has no split 'validation'; its splits are"):
        bundled_file("newsbites", "validation")


def test_no_item_occurs_twice() -> None:
    kept, report = resolve_duplicates(read("train"), None, read("test"), "refuse")
    assert (len(kept), report.dropped, report.pairs) == (640, 0, ())


def shingles(text: str) -> set[tuple[str, ...]]:
    words = normal_form(text).split()
    return {tuple(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}


def nearest_share(texts: tuple[str, ...]) -> float:
    """Return the largest share of its shingles that an item has in common with another."""
    found = [shingles(text) for text in texts]
    owners: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for item, parts in enumerate(found):
        for part in parts:
            owners[part].append(item)
    shared = Counter(pair for items in owners.values() for pair in combinations(items, 2))
    shares = (count / min(len(found[a]), len(found[b])) for (a, b), count in shared.items())
    return max(shares, default=0.0)


def test_no_item_is_near_another() -> None:
    texts = read("train").texts + read("test").texts
    assert nearest_share(texts) <= MOST_SHARED
    edited = texts[0].replace(texts[0].split()[-2], "elsewhere")
    assert nearest_share((*texts, edited)) > MOST_SHARED
