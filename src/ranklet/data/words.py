"""Words, also where a script puts no spaces between them.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan are written without spaces, and only a
dictionary knows their words. There a character counts as a word, with the marks behind it; a true
word has between one and five of them.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise

_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ece"  # Lao
    "\u0f40-\u0fbc"  # Tibetan
    "\u1000-\u103f\u1050-\u109f\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17d3"  # Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
UNSPACED = re.compile(f"[{_UNSPACED}]")
UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
OTHER_RUN = re.compile(rf"[^\s{_UNSPACED}]+")
# Vowel signs, which `\w` lacks: Latin accents, Hebrew, Arabic and the scripts of India.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
TERM = re.compile(rf"[\w{_MARKS}{_UNSPACED}]+")

LONGEST_GRAM = 3
"""Characters of a script without spaces that make one term."""


def count_words(text: str) -> int:
    """Count the runs of characters between white space.

    Of a script without spaces each character counts; punctuation beside one does not.
    """
    if text.isascii() or not UNSPACED.search(text):
        return len(text.split())
    return sum(map(_count_in_run, text.split()))


def _count_in_run(run: str) -> int:
    characters = sum(character.isalnum() for character in "".join(UNSPACED_RUN.findall(run)))
    if not characters:
        return 1
    others = (part for part in OTHER_RUN.findall(run) if any(map(str.isalnum, part)))
    return characters + sum(1 for _ in others)


def terms(text: str) -> list[str]:
    """Return what a count of words counts, in small letters and in order.

    They are the runs of letters and digits; where a script puts no spaces, its characters and
    every two and three of them in a row.
    """
    runs: list[str] = TERM.findall(text.lower())
    if text.isascii() or not UNSPACED.search(text):
        return runs
    return list(chain.from_iterable(map(_terms_of_run, runs)))


def terms_and_pairs(text: str) -> list[str]:
    """Return the terms of a text and every two in a row."""
    single = terms(text)
    return [*single, *map(" ".join, pairwise(single))]


def _terms_of_run(run: str) -> list[str]:
    grams: list[str] = OTHER_RUN.findall(run)
    for part in UNSPACED_RUN.findall(run):
        lengths = range(1, min(LONGEST_GRAM, len(part)) + 1)
        grams += (part[at : at + size] for size in lengths for at in range(len(part) - size + 1))
    return grams
