"""What holds for every set of texts: the finder finds what comparing every pair would find."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ranklet.data.audit.copies import find_copies, fingerprints
from ranklet.data.audit.near_duplicates import (
    MIN_CONTAINED,
    MIN_CONTAINMENT,
    MIN_RESEMBLANCE,
    nearest_duplicates,
    shingle_sets,
)
from ranklet.data.examples import Examples

# Few letters, so that texts share many pairs of words.
TEXTS = st.lists(st.sampled_from("abcde"), max_size=24).map(" ".join)
SPLITS = st.lists(TEXTS, min_size=1, max_size=8)


def split(*texts: str) -> Examples:
    return Examples(texts, None, tuple(range(len(texts))), "a.csv")


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words)} if len(words) == 1 else set(pairwise(words))


def measures(first: str, second: str) -> tuple[float, float]:
    """Resemblance and containment of near duplicates, else zeros."""
    one, other = shingles(first), shingles(second)
    smaller, shared = min(len(one), len(other)), len(one & other)
    if not smaller:
        return 0.0, 0.0
    alike, within = shared / len(one | other), shared / smaller
    contained = within >= MIN_CONTAINMENT and smaller >= MIN_CONTAINED
    return (alike, within) if alike >= MIN_RESEMBLANCE or contained else (0.0, 0.0)


@settings(deadline=None)
@given(first=SPLITS, second=SPLITS)
def test_as_comparing_every_pair(first: list[str], second: list[str]) -> None:
    sets = shingle_sets([*first, *second])
    own, others = sets[: len(first)], sets[len(first) :]
    for found, candidates in (
        (nearest_duplicates(own, others), [second] * len(first)),
        (nearest_duplicates(own), [first[:row] for row in range(len(first))]),
    ):
        for row, texts in enumerate(candidates):
            best = max((measures(first[row], text) for text in texts), default=(0.0, 0.0))
            assert (found.resemblance[row], found.containment[row]) == best
            match = found.match[row]
            assert (match >= 0) == (best > (0.0, 0.0))
            assert match < 0 or measures(first[row], texts[match]) == best


@settings(deadline=None)
@given(texts=SPLITS, others=SPLITS, row=st.integers(0, 7))
def test_an_exact_copy_is_always_found(texts: list[str], others: list[str], row: int) -> None:
    text = texts[row % len(texts)]
    own, there = fingerprints(split(*texts), split(*others, f"  {text.upper()}!"))
    copy = find_copies(own, there).copies.get(row % len(texts))
    assert (copy is not None and copy.exact) == bool(text.split())
