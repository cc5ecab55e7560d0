"""How new texts differ from known ones, as far as counting their words shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from ranklet.data.words import count_words, terms

COMMONEST = 30
# What is said: texts half as long again, a third of the usual common words, a tenth more new words.
LENGTH_RATIO = 1.5
LANGUAGE_RATIO = 1 / 3
MORE_NEW_WORDS = 0.1


def text_differences(known: Sequence[str], new: Sequence[str]) -> list[str]:
    """Say how new texts differ from known ones: in length, language and words.

    A language is known by its commonest words, such as articles, which every kind of text has.

    Args:
        known: Texts with labels, two at least.
        new: New texts, one at least.

    Returns:
        A clause for each difference; none where none is to be seen.
    """
    known_terms, new_terms = ([terms(text) for text in texts] for texts in (known, new))
    texts_with = Counter(term for text in known_terms for term in set(text))
    common = {term for term, _ in texts_with.most_common(COMMONEST)}
    clauses = _of_length(known, new)
    usual, here = (_share_of_common(texts, common) for texts in (known_terms, new_terms))
    if here < LANGUAGE_RATIO * usual:
        share = f"{here:.0%} of their words are among the {COMMONEST} commonest of those"
        return [*clauses, f"they are in another language or hold no sentences ({share})"]
    # A word of a known text is new where no other known text has it.
    usual, here = (
        _share_of_rare(known_terms, texts_with, 1),
        _share_of_rare(new_terms, texts_with, 0),
    )
    if here - usual > MORE_NEW_WORDS:
        clauses.append(f"{here:.0%} of their words are new, {usual:.0%} of those of a usual text")
    return clauses


def _of_length(known: Sequence[str], new: Sequence[str]) -> list[str]:
    usual, here = (
        float(np.median([count_words(text) for text in texts])) for texts in (known, new)
    )
    if max(here, usual) < LENGTH_RATIO * min(here, usual):
        return []
    return [
        f"they are {'longer' if here > usual else 'shorter'} ({here:.0f} words, not {usual:.0f})"
    ]


def _share_of_common(texts: Sequence[Sequence[str]], common: Set[str]) -> float:
    return float(np.mean([term in common for text in texts for term in text] or [False]))


def _share_of_rare(texts: Sequence[Sequence[str]], texts_with: Counter[str], most: int) -> float:
    shares = [np.mean([texts_with[term] <= most for term in text]) for text in texts if text]
    return float(np.mean(shares)) if shares else 0.0
