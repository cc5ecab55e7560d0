"""Near duplicates: texts that share most of their pairs of neighbouring words.

Broder 1997 ("On the resemblance and containment of documents", SEQUENCES) compares texts as sets
of shingles, here pairs of words. His resemblance |A & B| / |A | B| finds edited copies; his
containment |A & B| / |smaller| finds copies that were cut or continued. Min-wise hashes estimate
resemblance alone, and with an error, so the sets themselves are compared: a set that shares t of
its n shingles with another shares one of any n - t + 1 of them (the prefix filter of Chaudhuri,
Ganti, Kaushik 2006, ICDE), and the rarest are looked up. What is at or above the thresholds is
found, and nothing else.

Texts from one template share most shingles, and comparing each of them with each other would take
hours. So a text that resembles many of the first it is compared with is compared with no more, and
a shingle leads to its first texts only; where that may have cost a find, `Nearest` says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.oddities import is_empty
from ranklet.data.cleaning import clean
from ranklet.data.duplicates import normal_form

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MIN_RESEMBLANCE = 0.5
MIN_CONTAINMENT = 0.8
# A few words in a row are a phrase: shorter texts must resemble each other as a whole.
MIN_CONTAINED = 8
# Resemblance r means that the smaller set shares at least 2r / (1 + r) of its shingles.
MIN_SHARED = min(2 * MIN_RESEMBLANCE / (1 + MIN_RESEMBLANCE), MIN_CONTAINMENT)
# Of the texts with a shingle so many are looked up, the first ones.
MOST_WITH_SHINGLE = 1_000
# A text is from a template if so many of the first texts that it is compared with are near.
FIRST_COMPARED, NEAR_OF_TEMPLATE = 200, 20
CHUNK_TEXTS = 512
CHUNK_PAIRS = 65_536
# Chinese and Japanese put no white space between words: each character counts as one.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest near duplicate of each text of a first set in a second one.

    Attributes:
        match: (texts,) int64 index in the second set, -1 where there is none.
        resemblance: (texts,) float64 shared pairs of words over all pairs of words of both.
        containment: (texts,) float64 shared pairs of words over those of the shorter text.
        is_open: (texts,) bool, whether there is no match, but not all texts were compared that
            share a pair of words.
    """

    match: NDArray[np.int64]
    resemblance: NDArray[np.float64]
    containment: NDArray[np.float64]
    is_open: NDArray[np.bool_]


def shingle_sets(texts: Sequence[str]) -> csr_array:
    """Return the pairs of neighbouring words of each text, without markup, case and punctuation.

    A text of one word has that word as its only shingle, and one without letters and digits none.

    Args:
        texts: Texts of all splits that are to be compared, since columns are numbered in here.

    Returns:
        (texts, distinct shingles) int32, 1 where a text has a shingle.
    """
    from scipy.sparse import csr_array

    number: dict[str, int] = {}
    words = [[number.setdefault(w, len(number) + 1) for w in _words(text)] for text in texts]
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    flat = np.fromiter(chain.from_iterable(words), np.int64, int(lengths.sum()))
    row = np.repeat(np.arange(len(words)), lengths)
    is_pair = np.zeros(len(flat), dtype=bool)
    is_pair[:-1] = row[1:] == row[:-1]
    following = np.where(is_pair, np.roll(flat, -1), 0)
    stays = is_pair | (lengths[row] == 1)
    _, column = np.unique(flat[stays] * (len(number) + 1) + following[stays], return_inverse=True)
    shape = (len(words), int(column.max(initial=-1)) + 1)
    sets = csr_array((np.ones(len(column), np.int32), (row[stays], column)), shape=shape)
    sets.sum_duplicates()
    sets.data[:] = 1
    return sets


def nearest_duplicates(first: csr_array, second: csr_array | None = None) -> Nearest:
    """Find the nearest near duplicate of each text.

    Two texts are near duplicates if their resemblance is at least 0.5, or their containment at
    least 0.8 and the shorter text has at least 8 pairs of words. Of a text with dozens of them, the
    nearest is that of the first 200 it is compared with. The work grows with the number of texts,
    not with its square.

    Args:
        first: (texts, shingles), see `shingle_sets`.
        second: Texts to look among; None: the earlier ones of `first`.
    """
    other = first if second is None else second
    rarity = first.sum(axis=0) + other.sum(axis=0)
    first_rare, other_rare = _rarest(first, rarity), _rarest(other, rarity)
    count = first.shape[0]
    by_shingle, is_cut = _first_texts(other)
    rare_by_shingle, is_rare_cut = _first_texts(other_rare)
    best = Nearest(
        match=np.full(count, -1, dtype=np.int64),
        resemblance=np.zeros(count),
        containment=np.zeros(count),
        is_open=np.asarray(first_rare @ is_cut + first @ is_rare_cut) > 0,
    )
    for start in range(0, count, CHUNK_TEXTS):
        part = slice(start, start + CHUNK_TEXTS)
        # Either text may be the smaller one, whose rare shingles the other is sure to have.
        candidates = (first_rare[part] @ by_shingle + first[part] @ rare_by_shingle).tocoo()
        rows, columns = candidates.row.astype(np.int64) + start, candidates.col.astype(np.int64)
        if second is None:
            rows, columns = rows[columns < rows], columns[columns < rows]
        is_early = _place(rows) < FIRST_COMPARED
        near = _keep_nearest(first, other, rows[is_early], columns[is_early], best)
        is_late = ~is_early & (near[rows] < NEAR_OF_TEMPLATE)
        _keep_nearest(first, other, rows[is_late], columns[is_late], best)
    best.is_open[best.match >= 0] = False
    if second is None:
        best.is_open[:MOST_WITH_SHINGLE] = False
    return best


def _words(text: str) -> list[str]:
    if is_empty(text):
        return []
    form = normal_form(clean(text, ("ag_news", "html")))
    return form.split() if form.isascii() else WORD.findall(form)


def _rarest(sets: csr_array, rarity: NDArray[Any]) -> csr_array:
    """Keep of each set so many of its rarest shingles that a near duplicate must have one."""
    from scipy.sparse import csr_array

    sizes = np.diff(sets.indptr)
    row = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((rarity[sets.indices], row))
    place = np.arange(len(row)) - sets.indptr[row]
    least_shared = np.ceil(MIN_SHARED * sizes - 1e-9).astype(np.int64)
    stays = place < (sizes - least_shared + 1)[row]
    entries = np.ones(int(stays.sum()), np.int32)
    return csr_array((entries, (row[stays], sets.indices[order][stays])), shape=sets.shape)


def _first_texts(sets: csr_array) -> tuple[csr_array, NDArray[np.int32]]:
    """List the first texts with each shingle.

    Returns:
        (shingles, texts) int32, 1 where a text has a shingle, and (shingles,) int32, 1 where not
        all of its texts are listed.
    """
    from scipy.sparse import csr_array

    by_shingle = sets.T.tocsr()
    sizes = np.diff(by_shingle.indptr)
    stays = _place(np.repeat(np.arange(len(sizes)), sizes)) < MOST_WITH_SHINGLE
    ends = np.concatenate([[0], np.cumsum(np.minimum(sizes, MOST_WITH_SHINGLE))])
    entries = (by_shingle.data[stays], by_shingle.indices[stays], ends)
    is_cut = (sizes > MOST_WITH_SHINGLE).astype(np.int32)
    return csr_array(entries, shape=by_shingle.shape), is_cut


def _place(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the earlier entries of the same row, for each entry; the rows ascend."""
    return np.arange(len(rows)) - np.searchsorted(rows, rows)


def _keep_nearest(
    first: csr_array,
    second: csr_array,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    best: Nearest,
) -> NDArray[np.int64]:
    """Compare candidates exactly; write what is nearer than before into `best`.

    Returns:
        (texts of the first set,) number of near duplicates among the candidates.
    """
    near = np.zeros(first.shape[0], dtype=np.int64)
    for begin in range(0, len(rows), CHUNK_PAIRS):
        row, column = rows[begin : begin + CHUNK_PAIRS], columns[begin : begin + CHUNK_PAIRS]
        shared = np.asarray(first[row].multiply(second[column]).sum(axis=1)).ravel()
        left, right = np.diff(first.indptr)[row], np.diff(second.indptr)[column]
        smaller = np.minimum(left, right)
        alike, within = shared / (left + right - shared), shared / smaller
        contained = (within >= MIN_CONTAINMENT) & (smaller >= MIN_CONTAINED)
        is_near = (alike >= MIN_RESEMBLANCE) | contained
        row, column, alike, within = row[is_near], column[is_near], alike[is_near], within[is_near]
        np.add.at(near, row, 1)
        # Of each row the nearest last, the first one of equals, so that it is the one that stays.
        order = np.lexsort((-column, within, alike, row))
        last = order[np.append(np.diff(row[order]) > 0, True)] if len(order) else order
        before = best.resemblance[row[last]], best.containment[row[last]]
        is_nearer = (alike[last] > before[0]) | (
            (alike[last] == before[0]) & (within[last] > before[1])
        )
        pair = last[is_nearer]
        best.match[row[pair]] = column[pair]
        best.resemblance[row[pair]], best.containment[row[pair]] = alike[pair], within[pair]
    return near
