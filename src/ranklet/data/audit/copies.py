"""Copies of texts, exact and near, within one split or between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ranklet.data.audit.near_duplicates import nearest_duplicates, shingle_sets
from ranklet.data.audit.oddities import is_empty
from ranklet.data.duplicates import Identity, first_matches, identities, normal_form, repeats_within
from ranklet.data.examples import Examples
from ranklet.data.texts import in_one

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """The texts of a split as they are compared.

    Attributes:
        forms: Normal form of each text; empty for one with nothing to compare.
        identities: What the exact copies of each text share with it; nothing where there is nothing
            to compare.
        firsts: Row of the first exact copy of each, which may be itself.
        sets: (texts, shingles) see `shingle_sets`.
    """

    forms: tuple[str, ...]
    identities: tuple[tuple[Identity, ...], ...]
    firsts: tuple[int, ...]
    sets: csr_array


@dataclass(frozen=True)
class Copy:
    """What a text is a copy of.

    Attributes:
        other: Row of the other text.
        exact: Equal to the letter, or but for case and punctuation with the same label; else a near
            duplicate.
        resemblance: Shared pairs of words over all pairs of words of both.
        containment: Shared pairs of words over those of the shorter text.
    """

    other: int
    exact: bool
    resemblance: float = 1.0
    containment: float = 1.0


@dataclass(frozen=True)
class CopySearch:
    """What came of a search for copies.

    Attributes:
        copies: What each row that is a copy copies: the first exact copy if there is one, else the
            nearest.
        open: Rows that were not compared with every text that shares words with them, and for which
            nothing turned up.
    """

    copies: Mapping[int, Copy]
    open: frozenset[int] = frozenset()


def fingerprints(*splits: Examples) -> list[Fingerprints]:
    """Prepare splits for comparison with themselves and each other."""
    sets = shingle_sets([in_one(text) for split in splits for text in split.texts])
    ends = list(accumulate(len(split) for split in splits))
    return [
        _fingerprints(split, sets[end - len(split) : end])
        for split, end in zip(splits, ends, strict=True)
    ]


def find_copies(texts: Fingerprints, others: Fingerprints | None = None) -> CopySearch:
    """Find the rows that are copies, and what they copy.

    Args:
        texts: A split.
        others: Where to look, of the same call of `fingerprints`; None: among the earlier rows.
    """
    copies: dict[int, Copy] = {}
    exact = {} if others is None else first_matches(texts.identities, others.identities)
    own = _distinct(texts)
    there = own if others is None else _distinct(others)
    nearest = nearest_duplicates(texts.sets[own], None if others is None else others.sets[there])
    near = {
        row: Copy(there[match], False, float(resemblance), float(containment))
        for row, match, resemblance, containment in zip(
            own, nearest.match, nearest.resemblance, nearest.containment, strict=True
        )
        # Of one form, and yet not exact: their labels differ, so the one gives nothing away.
        if match >= 0 and (others is None or texts.forms[row] != others.forms[there[match]])
    }
    for row, first in enumerate(texts.firsts):
        if others is None and first < row:
            copies[row] = Copy(first, True)
        elif row in exact:
            copies[row] = Copy(exact[row], True)
        elif first in near:
            copies[row] = near[first]
    is_open = dict(zip(own, nearest.is_open, strict=True))
    rows = (row for row, first in enumerate(texts.firsts) if is_open[first] and row not in copies)
    return CopySearch(copies, frozenset(rows))


def _fingerprints(split: Examples, sets: csr_array) -> Fingerprints:
    labels = split.labels or [None] * len(split)
    blank = [is_empty(in_one(text)) for text in split.texts]
    forms = tuple(
        "" if nothing else normal_form(text)
        for text, nothing in zip(split.texts, blank, strict=True)
    )
    keys: tuple[tuple[Identity, ...], ...] = tuple(
        () if nothing else pair
        for pair, nothing in zip(identities(split.texts, labels), blank, strict=True)
    )
    repeats = repeats_within(keys)
    return Fingerprints(
        forms, keys, tuple(repeats.get(row, row) for row in range(len(split))), sets
    )


def _distinct(texts: Fingerprints) -> list[int]:
    return [row for row, first in enumerate(texts.firsts) if first == row]
