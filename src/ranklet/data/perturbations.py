"""Texts as they may come where a classifier is used, made from those that it was tested on.

Each function takes texts, a strength from 0, which changes nothing, to 1, and a seed. It gives as
many texts in the same order, and labels stay theirs. A text changes by the seed and its own place
alone; a larger strength changes the same words and more of them. White space that is not beside a
change stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.entities import codepoint2name
from types import MappingProxyType

import numpy as np

from ranklet.data.texts import Text

Perturbation = Callable[[Sequence[str], float, int], list[str]]
"""(texts, strength, seed) -> as many texts."""

# What escaping leaves around a word that has nothing to escape.
_REMAINS = ("&lt;b&gt;{}&lt;/b&gt;", " quot;{} quot;", " #39;{} #39;", "{}&nbsp;")
_DASH = " - "


def typos(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Give each word of four letters or more a typing error, with the strength as probability.

    Two inner neighbours are swapped or an inner letter is lost; see `TextNoise.typo_noise`.
    """
    noise = TextNoise(typo_noise=strength)
    return _change_texts(texts, seed, lambda text, generator: add_noise(text, noise, generator))


def lower(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Write each word in small letters, with the strength as probability."""
    return _change_words(texts, strength, seed, lambda word, generator: word.lower())


def upper(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Write each word in capitals, with the strength as probability."""
    return _change_words(texts, strength, seed, lambda word, generator: word.upper())


def truncation(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Cut the strength's share of the words off the end of each text; one word always stays.

    Nothing is drawn; the seed is there because all perturbations have one.
    """
    return [_first_words(text, strength) for text in texts]


def word_drops(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Leave out each word and the white space behind it, with the strength as probability.

    Random deletion (Wei & Zou 2019, arXiv:1901.11196, section 2); one word always stays.
    """
    return _change_texts(
        texts, seed, lambda text, generator: _without_words(text, strength, generator)
    )


def entities(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    r"""Leave remains of HTML at each word, with the strength as probability.

    What can be escaped in a word is: `<`, `>` and `&` as `&lt;`, `&gt;` and `&amp;`, letters that
    have a name by it (`&eacute;`), quotation marks as AG News has them, with a space for the
    ampersand (` #39;`, ` quot;`). Another word gets tags or quotation marks around it, or a space
    behind it, all escaped. Cleaning by `ag_news`, `html` and `whitespace` takes out all but the
    quotation marks.
    """
    return _change_words(texts, strength, seed, _escaped)


def reverse(texts: Sequence[str], strength: float, seed: int) -> list[str]:
    """Put the beginning of a text at its end, with the strength as probability of each text.

    The beginning is what stands before the first ` - `, a news text's headline and place; else the
    first sentence. A text of one sentence stays as it is. Where beginning and rest are columns of
    their own, use `reverse_parts`.
    """
    return _change_texts(
        texts,
        seed,
        lambda text, generator: _turned(text) if generator.random() < strength else text,
    )


def reverse_parts(parts: Sequence[Sequence[str]], strength: float, seed: int) -> list[str]:
    """Join the parts of each text backwards, with the strength as probability, else in order."""
    drawn = [np.random.default_rng((seed, place)).random() for place in range(len(parts))]
    return [
        " ".join(reversed(own) if draw < strength else own)
        for own, draw in zip(parts, drawn, strict=True)
    ]


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
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


def perturb(kind: str, texts: Sequence[Text], strength: float, seed: int) -> list[Text]:
    """Perturb texts, or either text of pairs, see `PERTURBATIONS`."""
    change = PERTURBATIONS[kind]
    pairs = [text for text in texts if isinstance(text, tuple)]
    if not pairs:
        return [*change([text for text in texts if isinstance(text, str)], strength, seed)]
    first, second = (change(part, strength, seed) for part in zip(*pairs, strict=True))
    return [*zip(first, second, strict=True)]


def _change_texts(
    texts: Sequence[str], seed: int, change: Callable[[str, np.random.Generator], str]
) -> list[str]:
    return [change(text, np.random.default_rng((seed, place))) for place, text in enumerate(texts)]


def _change_words(
    texts: Sequence[str],
    strength: float,
    seed: int,
    change: Callable[[str, np.random.Generator], str],
) -> list[str]:
    def changed(text: str, generator: np.random.Generator) -> str:
        return _with_words(text, lambda words: changed_words(words, strength, generator, change))

    return _change_texts(texts, seed, changed)


def _with_words(text: str, change: Callable[[list[str]], list[str]]) -> str:
    # Words and white space by turns; at the ends may stand empty words, which are no words.
    parts = SPACE.split(text)
    places = [place for place in range(0, len(parts), 2) if parts[place]]
    for place, word in zip(places, change([parts[place] for place in places]), strict=True):
        parts[place] = word
    return "".join(parts)


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
    left = [word for word, is_left in zip(words, stays, strict=True) if is_left]
    return "".join(left).rstrip()


def _escaped(word: str, generator: np.random.Generator) -> str:
    remains = _REMAINS[generator.integers(len(_REMAINS))]
    escaped = html.escape(word, quote=False).replace('"', " quot;").replace("'", " #39;")
    named = "".join(_named(letter) for letter in escaped)
    return named if named != word else remains.format(word)


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


# A sentence ends with its mark, a quotation mark or bracket behind it, and white space.
SENTENCE_END = re.compile(r"[.!?…]+[\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f]+")
SPACE = re.compile(r"(\s+)")
# Shortest word with two inner characters that can change places.
_SHORTEST_TYPO = 4


@dataclass(frozen=True)
class TextNoise:
    """How much of a text is changed; 0 is nothing.

    Easy data augmentation (Wei & Zou 2019, arXiv:1901.11196, section 2) without its synonyms, which
    need a dictionary. There a share of the words, at least one, is swapped in every copy and the
    copies are added to the texts; here each word is drawn by itself, so that a short text often
    stays as it is, and the changed text stands in for the text, anew at every step.

    Attributes:
        sentence_truncation: Probability that a text of several sentences keeps only the first ones,
            of all shorter lengths equally often.
        word_swap: Probability of each word to change places with another one.
        case_noise: Probability of each word to be written in another case.
        typo_noise: Probability of each word of at least four characters to get a typing error: two
            inner neighbours swapped (Belinkov & Bisk 2018, arXiv:1711.02173, section 3.2) or, as
            often, an inner character lost.
    """

    sentence_truncation: float = 0.0
    word_swap: float = 0.0
    case_noise: float = 0.0
    typo_noise: float = 0.0

    @property
    def is_on(self) -> bool:
        """Tell whether it changes anything."""
        return any((self.sentence_truncation, self.word_swap, self.case_noise, self.typo_noise))


def add_noise(text: str, noise: TextNoise, generator: np.random.Generator) -> str:
    """Change a text: sentences, then words, then case, then letters; white space stays.

    Equal states of the generator give equal texts.
    """
    if noise.sentence_truncation and generator.random() < noise.sentence_truncation:
        text = _first_sentences(text, generator)

    def changed(words: list[str]) -> list[str]:
        words = _swapped(words, noise.word_swap, generator)
        words = changed_words(words, noise.case_noise, generator, _other_case)
        return changed_words(words, noise.typo_noise, generator, _typo)

    return _with_words(text, changed)


def _first_sentences(text: str, generator: np.random.Generator) -> str:
    ends = [match.end() for match in SENTENCE_END.finditer(text) if match.end() < len(text)]
    return text[: ends[generator.integers(len(ends))]].rstrip() if ends else text


def _swapped(words: Sequence[str], share: float, generator: np.random.Generator) -> list[str]:
    order = list(words)
    if not share or len(order) < 2:
        return order
    for place in np.flatnonzero(generator.random(len(order)) < share):
        other = (place + generator.integers(1, len(order))) % len(order)
        order[place], order[other] = order[other], order[place]
    return order


def changed_words(
    words: list[str],
    share: float,
    generator: np.random.Generator,
    change: Callable[[str, np.random.Generator], str],
) -> list[str]:
    """Change each word with a probability; which ones are drawn first, all of them at once.

    Equal states of the generator choose equal words, more of them with a larger share, 0..1.
    """
    if not share:
        return words
    draws = generator.random(len(words))
    return [
        change(word, generator) if draw < share else word
        for word, draw in zip(words, draws, strict=True)
    ]


def _other_case(word: str, generator: np.random.Generator) -> str:
    others = [case for case in (word.lower(), word.upper(), word.capitalize()) if case != word]
    return others[generator.integers(len(others))] if others else word


def _typo(word: str, generator: np.random.Generator) -> str:
    if len(word) < _SHORTEST_TYPO:
        return word
    if generator.random() < 0.5:
        place = int(generator.integers(1, len(word) - 2))
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    place = int(generator.integers(1, len(word) - 1))
    return word[:place] + word[place + 1 :]
