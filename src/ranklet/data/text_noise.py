"""Training texts that are a little different every time they are seen, in words and letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ranklet.batch import Batch
from ranklet.data.corpus import TokenCorpus, corpus_of
from ranklet.data.long_texts import LongTexts
from ranklet.data.tokenizer import tokenize

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

    Args:
        text: Any text; what is empty stays empty.
        noise: How much.
        generator: Draws; equal states give equal texts.
    """
    if noise.sentence_truncation and generator.random() < noise.sentence_truncation:
        text = _first_sentences(text, generator)
    parts = SPACE.split(text)
    # Words and white space by turns; at the ends stand empty words where a text begins with space.
    places = [place for place in range(0, len(parts), 2) if parts[place]]
    words = [parts[place] for place in places]
    words = _swapped(words, noise.word_swap, generator)
    words = changed_words(words, noise.case_noise, generator, _other_case)
    words = changed_words(words, noise.typo_noise, generator, _typo)
    for place, word in zip(places, words, strict=True):
        parts[place] = word
    return "".join(parts)


def _first_sentences(text: str, generator: np.random.Generator) -> str:
    ends = [match.end() for match in SENTENCE_END.finditer(text) if match.end() < len(text)]
    return text[: ends[generator.integers(len(ends))]].rstrip() if ends else text


def _swapped(words: Sequence[str], share: float, generator: np.random.Generator) -> list[str]:
    found = list(words)
    if not share or len(found) < 2:
        return found
    for place in np.flatnonzero(generator.random(len(found)) < share):
        other = (place + generator.integers(1, len(found))) % len(found)
        found[place], found[other] = found[other], found[place]
    return found


def changed_words(
    words: list[str],
    share: float,
    generator: np.random.Generator,
    change: Callable[[str, np.random.Generator], str],
) -> list[str]:
    """Change each word with a probability; which ones are drawn first, all of them at once.

    Args:
        words: Without white space.
        share: Probability of each word, 0..1.
        generator: Draws; equal states choose equal words, more of them with a larger share.
        change: Gives the new word.
    """
    if not share:
        return words
    chosen = generator.random(len(words)) < share
    return [
        change(word, generator) if is_chosen else word
        for word, is_chosen in zip(words, chosen, strict=True)
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


@dataclass(eq=False)
class NoisyCorpus:
    """Training texts that get noise and are tokenized when they are put into a batch.

    What is drawn depends on the seed, the optimizer step and the row alone, so a training that goes
    on in the middle draws the same, and a text that comes twice in an epoch is not the same twice.

    Attributes:
        tokens: The texts as they are; their lengths plan the batches, which may get longer.
        texts: The same texts, cleaned; none is split into windows.
        noise: What is done to them.
        tokenizer: The encoder's tokenizer.
        max_length: Tokens kept of a text, special ones included.
        long_texts: What happens to longer texts.
        seed: Seed of the whole training.
        step: Optimizer step of the next batch; whoever asks for batches sets it.
    """

    tokens: TokenCorpus
    texts: Sequence[str]
    noise: TextNoise
    tokenizer: Tokenizer
    max_length: int
    long_texts: LongTexts
    seed: int
    step: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text without noise, (texts,) int64."""
        return self.tokens.lengths

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(texts,) int64 class indices, or None."""
        return self.tokens.labels

    @property
    def text_starts(self) -> NDArray[np.int64] | None:
        """None: texts with noise are not split."""
        return self.tokens.text_starts

    def begin_step(self, step: int) -> None:
        """Draw for this optimizer step from now on."""
        self.step = step

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Change, tokenize and pack some texts, in the order given."""
        texts = [
            add_noise(
                self.texts[row], self.noise, np.random.default_rng((self.seed, self.step, row))
            )
            for row in indices.tolist()
        ]
        tokens = tokenize(self.tokenizer, texts, self.max_length, self.long_texts)
        labels = None if self.labels is None else self.labels[indices]
        return corpus_of(tokens, labels).batch(np.arange(len(texts)))
