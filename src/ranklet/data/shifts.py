"""Shifts: texts as they may come where a classifier is used, made from those that it was tested on.

Each function takes texts, a strength from 0, which changes nothing, to 1, and a seed. It gives as
many texts in the same order, and labels stay theirs. A text changes by the seed and its own place
alone; a larger strength changes the same words and more of them. White space that is not beside a
change stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from html.entities import codepoint2name
from types import MappingProxyType

import numpy as np

from ranklet.data.text_noise import SENTENCE_END, SPACE, TextNoise, add_noise, changed_words

Shift = Callable[[Sequence[str], float, int], list[str]]

# What escaping leaves around a word that has nothing to escape.
_REMAINS = ("&lt;b&gt;{}&lt;/b&gt;", " quot;{} quot;", " #39;{} #39;", "{}&nbsp;")
_DASH = " - "


def typos(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Give each word of four letters or more a typing error, with the strength as probability.

    Two inner neighbours are swapped or an inner letter is lost; see `TextNoise.typo_noise`.
    """
    noise = TextNoise(typo_noise=strength)
    return _each(texts, seed, lambda text, generator: add_noise(text, noise, generator))


def lower(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Write each word in small letters, with the strength as probability."""
    return _each_word(texts, strength, seed, lambda word, generator: word.lower())


def upper(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Write each word in capitals, with the strength as probability."""
    return _each_word(texts, strength, seed, lambda word, generator: word.upper())


def truncation(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Cut the strength's share of the words off the end of each text; one word always stays.

    Nothing is drawn; the seed is there because all shifts have one.
    """
    return [_first_words(text, strength) for text in texts]


def word_drops(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Leave out each word and the white space behind it, with the strength as probability.

    Random deletion (Wei & Zou 2019, arXiv:1901.11196, section 2); one word always stays.
    """
    return _each(texts, seed, lambda text, generator: _without_words(text, strength, generator))


def entities(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    r"""Leave remains of HTML at each word, with the strength as probability.

    What can be escaped in a word is: `<`, `>` and `&` as `&lt;`, `&gt;` and `&amp;`, letters that
    have a name by it (`&eacute;`), quotation marks as AG News has them, with a space for the
    ampersand (` #39;`, ` quot;`). Another word gets tags or quotation marks around it, or a space
    behind it, all escaped. Cleaning by `ag_news`, `html` and `whitespace` takes out all but the
    quotation marks.
    """
    return _each_word(texts, strength, seed, _escaped)


def reverse(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Put the beginning of a text at its end, with the strength as probability of each text.

    The beginning is what stands before the first ` - `, a news text's headline and place; else the
    first sentence. A text of one sentence stays as it is. Where beginning and rest are columns of
    their own, use `reverse_parts`.
    """
    return _each(
        texts,
        seed,
        lambda text, generator: _turned(text) if generator.random() < strength else text,
    )


def reverse_parts(parts: Sequence[Sequence[str]], strength: float, seed: int) -> list[str]:
    """Join the parts of a text backwards, with the strength as probability of each text.

    Args:
        parts: Of each text, such as title and description; the others are joined in order.
        strength: 0..1.
        seed: Decides which texts.
    """
    drawn = [np.random.default_rng((seed, place)).random() for place in range(len(parts))]
    return [
        " ".join(reversed(own) if draw < strength else own)
        for own, draw in zip(parts, drawn, strict=True)
    ]


SHIFTS: Mapping[str, Shift] = MappingProxyType(
    {
        "typos": typos,
        "lower": lower,
        "upper": upper,
        "truncation": truncation,
        "word_drops": word_drops,
        "entities": entities,
        "reverse": reverse,
    }
)


def _each(
    texts: Sequence[str], seed: int, change: Callable[[str, np.random.Generator], str]
) -> list[str]:
    return [change(text, np.random.default_rng((seed, place))) for place, text in enumerate(texts)]


def _each_word(
    texts: Sequence[str],
    strength: float,
    seed: int,
    change: Callable[[str, np.random.Generator], str],
) -> list[str]:
    def changed(text: str, generator: np.random.Generator) -> str:
        # Words and white space by turns; at the ends may stand empty words, which are no words.
        parts = SPACE.split(text)
        places = [place for place in range(0, len(parts), 2) if parts[place]]
        words = changed_words([parts[place] for place in places], strength, generator, change)
        for place, word in zip(places, words, strict=True):
            parts[place] = word
        return "".join(parts)

    return _each(texts, seed, changed)


def _first_words(text: str, strength: float) -> str:
    words = list(re.finditer(r"\S+", text))
    dropped = min(round(strength * len(words)), len(words) - 1)
    return text[: words[-1 - dropped].end()] if dropped > 0 else text


def _without_words(text: str, strength: float, generator: np.random.Generator) -> str:
    words = re.findall(r"\S+\s*", text)
    draws = generator.random(len(words))
    if not words or (draws >= strength).all():
        return text
    stays = (draws >= strength) | (draws == draws.max())
    kept = [word for word, is_kept in zip(words, stays, strict=True) if is_kept]
    return "".join(kept).rstrip()


def _escaped(word: str, generator: np.random.Generator) -> str:
    chosen = _REMAINS[generator.integers(len(_REMAINS))]
    escaped = html.escape(word, quote=False).replace('"', " quot;").replace("'", " #39;")
    named = "".join(_named(letter) for letter in escaped)
    return named if named != word else chosen.format(word)


def _named(letter: str) -> str:
    name = None if letter.isascii() else codepoint2name.get(ord(letter))
    return letter if name is None else f"&{name};"


def _turned(text: str) -> str:
    head, dash, rest = text.partition(_DASH)
    if dash and head.strip() and rest.strip():
        return f"{rest}{dash}{head}"
    ends = (match for match in SENTENCE_END.finditer(text) if match.end() < len(text))
    first = next(ends, None)
    if first is None:
        return text
    return f"{text[first.end() :]} {text[: first.end()].rstrip()}"
