"""Training texts that are a little different every time they are seen, in words and letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ranklet.batch import Batch
from ranklet.data.perturbations import TextNoise, add_noise
from ranklet.data.texts import Text, each_part
from ranklet.data.tokens.corpus import DerivedCorpus, TokenCorpus, corpus_of
from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.tokenizer import tokenize


@dataclass(eq=False)
class NoisyCorpus(DerivedCorpus):
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
    texts: Sequence[Text]
    noise: TextNoise
    tokenizer: Tokenizer
    max_length: int
    long_texts: LongTexts
    seed: int
    step: int = 0

    def begin_step(self, step: int) -> None:
        """Draw for this optimizer step from now on."""
        self.step = step

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Change, tokenize and pack some texts, in the order given."""
        texts = [self._noisy(row) for row in indices.tolist()]
        tokens = tokenize(self.tokenizer, texts, self.max_length, self.long_texts)
        labels = None if self.labels is None else self.labels[indices]
        return corpus_of(tokens, labels).batch(np.arange(len(texts)))

    def _noisy(self, row: int) -> Text:
        generator = np.random.default_rng((self.seed, self.step, row))
        return each_part(self.texts[row], lambda part: add_noise(part, self.noise, generator))
