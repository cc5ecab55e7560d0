"""Copies of texts, exact and near, within one split or between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ranklet.data.audit.near_duplicates import nearest_duplicates, shingle_sets
from ranklet.data.audit.oddities import is_empty
from ranklet.data.duplicates import first_rows, normal_form

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """The texts of a split as they are compared.

    Attributes:
        forms: Normal form of each text; empty for one without letters and digits.
        firsts: Row of the first text of the same form, for each row.
        sets: (texts, shingles) see `shingle_sets`.
    """

    forms: tuple[str, ...]
    firsts: tuple[int, ...]
    sets: csr_array


@dataclass(frozen=True)
class Copy:
    """What a text is a copy of.

    Attributes:
        other: Row of the other text.
        exact: Equal but for case and punctuation; else a near duplicate.
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


def fingerprints(*splits: Sequence[str]) -> list[Fingerprints]:
    """Prepare splits for comparison with themselves and each other."""
    sets = shingle_sets([text for split in splits for text in split])
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
    rows_there = {} if others is None else first_rows(others.forms)
    own = _distinct(texts)
    there = own if others is None else _distinct(others)
    nearest = nearest_duplicates(texts.sets[own], None if others is None else others.sets[there])
    near = {
        row: Copy(there[match], False, float(resemblance), float(containment))
        for row, match, resemblance, containment in zip(
            own, nearest.match, nearest.resemblance, nearest.containment, strict=True
        )
        if match >= 0
    }
    for row, (form, first) in enumerate(zip(texts.forms, texts.firsts, strict=True)):
        if others is None and form and first < row:
            copies[row] = Copy(first, True)
        elif form and form in rows_there:
            copies[row] = Copy(rows_there[form], True)
        elif first in near:
            copies[row] = near[first]
    is_open = dict(zip(own, nearest.is_open, strict=True))
    rows = (row for row, first in enumerate(texts.firsts) if is_open[first] and row not in copies)
    return CopySearch(copies, frozenset(rows))


def _fingerprints(texts: Sequence[str], sets: csr_array) -> Fingerprints:
    forms = tuple("" if is_empty(text) else normal_form(text) for text in texts)
    first = first_rows(forms)
    return Fingerprints(forms, tuple(first[form] for form in forms), sets)


def _distinct(texts: Fingerprints) -> list[int]:
    return [row for row, first in enumerate(texts.firsts) if first == row]
