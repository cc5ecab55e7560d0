"""Counts of two to five characters in a row, for classifiers that know no words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

SHORTEST, LONGEST = 2, 5
COLUMN_BITS = 18
"""Grams fall into 2 to this power columns; of 160,000 different ones a quarter share theirs."""
CHARACTERS_AT_ONCE = 1_000_000
# Odd, with about half its bits set, so that a product spreads a character over 64 bits.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BLANK = ord(" ")


def count_character_grams(texts: Sequence[str]) -> sparse.csr_matrix:
    """Count the grams of each text, in small letters and within words.

    They are scikit-learn's `char_wb`: a word is what lies between white space, with a blank before
    and behind it, and no gram goes beyond. Columns are hashes ("the hashing trick", Weinberger et
    al. 2009, arXiv:0902.2206), so there is no vocabulary to collect.

    Returns:
        (texts, 2^18) float64 counts, at least one text.
    """
    blocks = [_count(block) for block in _blocks(texts)]
    return sparse.vstack(blocks, format="csr")


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut texts into runs of about a million characters, a longer text by itself."""
    place = np.cumsum([len(text) for text in texts]) // CHARACTERS_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(texts)]
    return (texts[start:end] for start, end in pairwise(edges))


def _count(texts: Sequence[str]) -> sparse.csr_matrix:
    spaced = [f" {' '.join(text.lower().split())} " for text in texts]
    codes = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), np.uint32)
    rows = np.repeat(np.arange(len(spaced), dtype=np.uint64), [len(text) for text in spaced])
    keys = np.concatenate(list(_keys(codes.astype(np.uint64), rows)))
    keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    distinct = keys[starts]
    row_starts = np.searchsorted(
        distinct >> np.uint64(COLUMN_BITS), np.arange(len(spaced) + 1, dtype=np.uint64)
    )
    columns = (distinct & np.uint64(2**COLUMN_BITS - 1)).astype(np.int32)
    counts = np.diff(starts, append=len(keys)).astype(np.float64)
    return sparse.csr_matrix((counts, columns, row_starts), shape=(len(spaced), 2**COLUMN_BITS))


def _keys(codes: NDArray[np.uint64], rows: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """Yield row and column of every gram in one number, for each length."""
    is_blank = codes == _BLANK
    blanks = np.cumsum(is_blank)
    hashes = codes * _SPREAD
    for length in range(SHORTEST, LONGEST + 1):
        last = length - 1
        grams = len(codes) - last
        hashes = (hashes[:grams] ^ hashes[:grams] >> np.uint64(29)) * _SPREAD + codes[last:]
        within = blanks[last - 1 : last - 1 + grams] == blanks[:grams]
        # The blank behind a word and that before the first word of the next text.
        within &= ~(is_blank[:grams] & is_blank[last:] & (length == SHORTEST))
        columns = hashes[within] * _SPREAD >> np.uint64(64 - COLUMN_BITS)
        yield rows[:grams][within] << np.uint64(COLUMN_BITS) | columns
