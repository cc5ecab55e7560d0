"""Oddities of texts: signs that they were decoded, copied or exported wrongly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from ranklet.data.cleaning import clean, restore_entities
from ranklet.data.duplicates import normal_form
from ranklet.data.words import count_words

Oddity = Literal["mojibake", "html", "control", "replacement", "empty", "near empty"]

NEAR_EMPTY_WORDS = 2
REPLACEMENT = "\ufffd"
# Controls but tab and line ends, and marks that nobody sees. Joiners of emoji and scripts stay.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
FOREIGN_RUN = re.compile(r"[^\x00-\x7f]+")
# What UTF-8 read as Windows-1252 is likely to have been. Others are a coincidence of real letters,
# as the end of `CAFÉ»` is.
PLAUSIBLE = re.compile(
    "[\u00a0-\u017f\u0370-\u03ff\u0400-\u04ff\u2000-\u206f\u20a0-\u20bf\u2100-\u22ff"
    "\u2500-\u27bf\ufeff\U0001f000-\U0001faff]+"
)


def find_oddities(text: str) -> tuple[Oddity, ...]:
    """Name what is odd about a text.

    `mojibake`: UTF-8 that was read as Windows-1252 or Latin-1 (`cafÃ©`). `html`: entities or tags,
    those of AG News that lost their ampersand included. `control`: characters that nobody sees.
    `replacement`: U+FFFD, where a letter is lost. `empty`: neither letter, digit nor
    symbol. `near empty`: one or two words.
    """
    oddities: list[Oddity] = [name for name, mend in REPAIRS.items() if mend(text) != text]
    if REPLACEMENT in text:
        oddities.append("replacement")
    words = count_words(normal_form(text))
    if is_empty(text):
        oddities.append("empty")
    elif words <= NEAR_EMPTY_WORDS:
        oddities.append("near empty")
    return tuple(oddities)


def repair(text: str) -> tuple[str, tuple[Oddity, ...]]:
    """Undo mojibake, HTML and control characters.

    Returns:
        The text, and what was repaired; lost letters and empty texts cannot be.
    """
    done: list[Oddity] = []
    for name, mend in REPAIRS.items():
        mended = mend(text)
        if mended != text:
            text = mended
            done.append(name)
    return text, tuple(done)


def is_empty(text: str) -> bool:
    """Tell whether a text has neither letter, digit nor symbol, as emoji are."""
    return not any(_says_something(character) for character in text)


def _says_something(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "S"


def _undo_mojibake(text: str) -> str:
    return text if text.isascii() else FOREIGN_RUN.sub(_decoded_again, text)


def _decoded_again(match: re.Match[str]) -> str:
    run = match[0]
    try:
        decoded = b"".join(map(_byte, run)).decode("utf-8")
    except UnicodeError:
        return run
    return decoded if PLAUSIBLE.fullmatch(decoded) else run


def _byte(character: str) -> bytes:
    # Windows-1252 leaves five bytes undefined; programs read them as Latin-1 does.
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _undo_html(text: str) -> str:
    return clean(restore_entities(text), ("html",))


def _remove_invisible(text: str) -> str:
    return INVISIBLE.sub("", text)


# In this order: mojibake may hold control characters.
REPAIRS: Mapping[Oddity, Callable[[str], str]] = MappingProxyType(
    {"mojibake": _undo_mojibake, "html": _undo_html, "control": _remove_invisible}
)
