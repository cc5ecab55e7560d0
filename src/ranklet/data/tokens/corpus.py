"""TokenCorpus: one split, tokenized once, and its cache on disk.

The cache spares the second run the tokenizer and never makes a run fail: what cannot be read or
written only means tokenizing again. Labels are never stored in it.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from safetensors import numpy as safetensors
from tokenizers import Tokenizer

from ranklet.batch import Batch
from ranklet.cache import read_cached, write_cached
from ranklet.data.texts import Text
from ranklet.data.tokens.batching import Indices
from ranklet.data.tokens.long_texts import LongTexts, window_weights
from ranklet.data.tokens.tokenizer import BEGINNING_ONLY, Tokens, check_texts, tokenize
from ranklet.errors import DataError

# Part of every key: raise it whenever the same texts would give other ids or another file.
CACHE_FORMAT = "ranklet token cache 2"

MAX_CACHE_BYTES = 2 * 1024**3


class Corpus(Protocol):
    """The texts of one split as batches: tokens, or states computed from them.

    Where texts are split into windows, a window counts as a text of its own everywhere but in
    `text_starts`, `num_texts` and `text_labels`.
    """

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (texts,) int64."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(texts,) int64 class indices, or None."""

    @property
    def text_starts(self) -> NDArray[np.int64] | None:
        """(texts + 1,) int64, the windows of text i begin at `text_starts[i]`; None: not split."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given."""


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """The texts of one split as token ids.

    Attributes:
        token_ids: (tokens,) int32, all texts behind each other, special tokens included.
        offsets: (texts + 1,) int64, text i owns `token_ids[offsets[i]:offsets[i + 1]]`.
        labels: (texts,) int64 class indices, or (texts, labels) int64 of 0 and 1, or None.
        truncated: Number of texts that lost tokens to the longest length allowed.
        text_starts: (texts + 1,) int64, text i was split into the windows from `text_starts[i]` up
            to `text_starts[i + 1]`, which the other attributes and `len` count as texts; None
            where texts are not split.
        token_types: (tokens,) int32, 0 in the first and 1 in the second text of a pair; None of
            single texts.
    """

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    truncated: int
    text_starts: NDArray[np.int64] | None = None
    token_types: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (texts,) int64."""
        return np.diff(self.offsets)

    @cached_property
    def weights(self) -> NDArray[np.float32] | None:
        """What the loss of each window counts, (windows,) float32; None where none is one."""
        return None if self.text_starts is None else window_weights(self.text_starts)

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given.

        Args:
            indices: (texts of the batch,) integers from 0; one may come more than once.

        Returns:
            The batch on the CPU; labels are None where the corpus has none.

        Raises:
            IndexError: An index outside the corpus.
        """
        texts = np.asarray(indices, dtype=np.int64)
        if np.any((texts < 0) | (texts >= len(self))):
            raise IndexError(f"batch indices must lie in 0..{len(self) - 1}")
        lengths = self.lengths[texts]
        rows, types = self.rows(texts), self.token_types
        return Batch(
            token_ids=torch.from_numpy(self.token_ids[rows].astype(np.int64)),
            cu_seqlens=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
            max_seqlen=int(lengths.max(initial=0)),
            labels=None if self.labels is None else torch.from_numpy(self.labels[texts]),
            weights=None if self.weights is None else torch.from_numpy(self.weights[texts]),
            token_types=None if types is None else torch.from_numpy(types[rows].astype(np.int64)),
        )

    def rows(self, indices: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return where the tokens of some texts stand: (tokens of the texts,) int64.

        Args:
            indices: (texts,) integers, each inside the corpus.
        """
        starts = self.offsets[indices]
        lengths = self.offsets[indices + 1] - starts
        before = np.cumsum(lengths) - lengths  # tokens of the texts before each
        rows: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
        return rows


Corpora = Mapping[str, TokenCorpus]


class DerivedCorpus(ABC):
    """The texts of a `TokenCorpus` one for one, put into batches in another way.

    Attributes:
        tokens: The same texts as token ids; their lengths plan the batches.
    """

    tokens: TokenCorpus

    @abstractmethod
    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given."""

    @final
    def __len__(self) -> int:
        return len(self.tokens)

    @final
    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (texts,) int64."""
        return self.tokens.lengths

    @final
    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(texts,) int64 class indices, or None."""
        return self.tokens.labels

    @final
    @property
    def text_starts(self) -> NDArray[np.int64] | None:
        """(texts + 1,) int64, the windows of text i begin at `text_starts[i]`; None: not split."""
        return self.tokens.text_starts


@dataclass(frozen=True, eq=False)
class CorpusPart:
    """Some rows of a split, as a corpus of their own.

    Attributes:
        whole: The split.
        rows: (rows,) int64, which ones.
    """

    whole: Corpus
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (rows,) int64."""
        return self.whole.lengths[self.rows]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(rows,) int64 class indices, or None."""
        return None if self.whole.labels is None else self.whole.labels[self.rows]

    @property
    def text_starts(self) -> NDArray[np.int64] | None:
        """None: the windows of a text may be in several parts, so each counts as a text."""
        return None

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given."""
        return self.whole.batch(self.rows[indices])


def num_texts(corpus: Corpus) -> int:
    """Return how many texts a corpus has, the windows of one counted once."""
    return len(corpus) if corpus.text_starts is None else len(corpus.text_starts) - 1


def text_labels(corpus: Corpus) -> NDArray[np.int64]:
    """Return the class of each text, (texts,) int64, the windows of one counted once."""
    assert corpus.labels is not None
    if corpus.text_starts is None:
        return corpus.labels
    first: NDArray[np.int64] = corpus.labels[corpus.text_starts[:-1]]
    return first


def corpus_of(tokens: Tokens, labels: NDArray[np.int64] | None) -> TokenCorpus:
    """Put tokens and labels together, (texts,) int64: every window of a text gets the label."""
    if labels is not None and tokens.text_starts is not None:
        labels = np.repeat(labels, np.diff(tokens.text_starts), axis=0)
    return TokenCorpus(
        tokens.token_ids,
        tokens.offsets,
        labels,
        tokens.truncated,
        tokens.text_starts,
        tokens.token_types,
    )


def build_corpus(
    tokenizer: Tokenizer,
    texts: Sequence[Text],
    labels: Sequence[int] | NDArray[np.integer] | None,
    max_length: int,
    cache_folder: Path | None,
    long_texts: LongTexts = BEGINNING_ONLY,
    report: Callable[[str], None] = lambda line: None,
) -> TokenCorpus:
    """Tokenize the texts of a split, or take the ids of an earlier run from the cache.

    Labels are class indices, one a text; `max_length` counts tokens, special ones included; ids are
    kept in the cache folder, such as `default_cache_folder()`, or with None nowhere; `report`
    receives a line where the cache is damaged.

    Raises:
        DataError: A text that cannot be tokenized, or not one label per text.
    """
    if labels is not None and len(labels) != len(texts):
        raise DataError(f"{len(labels)} labels for {len(texts)} texts; give one each", "labels")
    tokens = _cached_tokens(tokenizer, texts, max_length, cache_folder, long_texts, report)
    return corpus_of(tokens, None if labels is None else np.array(labels, dtype=np.int64))


def _cached_tokens(
    tokenizer: Tokenizer,
    texts: Sequence[Text],
    max_length: int,
    cache_folder: Path | None,
    long_texts: LongTexts,
    report: Callable[[str], None],
) -> Tokens:
    if cache_folder is None:
        return tokenize(tokenizer, texts, max_length, long_texts)
    check_texts(texts)
    key = _content_key(tokenizer, texts, max_length, long_texts)
    path = cache_folder / "tokens" / f"{key}.safetensors"
    tokens = _read_tokens(path, report)
    if tokens is None:
        tokens = tokenize(tokenizer, texts, max_length, long_texts)
        _store_tokens(path, tokens)
    return tokens


def _content_key(
    tokenizer: Tokenizer, texts: Sequence[Text], max_length: int, long_texts: LongTexts
) -> str:
    is_pair = bool(texts) and isinstance(texts[0], tuple)
    cut = f"{max_length} {long_texts.mode} {long_texts.overlap}" + (" pairs" if is_pair else "")
    settings = (CACHE_FORMAT, tokenizers.__version__, cut, tokenizer.to_str())
    parts = chain.from_iterable((text,) if isinstance(text, str) else text for text in texts)
    return _framed_sha256(part.encode() for part in (*settings, *parts))


def _framed_sha256(parts: Iterable[bytes]) -> str:
    # With each length before its bytes, ["ab", "c"] and ["a", "bc"] differ.
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _store_tokens(path: Path, tokens: Tokens) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "token_ids": tokens.token_ids,
        "offsets": tokens.offsets,
        "truncated": np.array([tokens.truncated], dtype=np.int64),
    }
    if tokens.text_starts is not None:
        arrays["text_starts"] = tokens.text_starts
    if tokens.token_types is not None:
        arrays["token_types"] = tokens.token_types
    write_cached(path, safetensors.save(arrays), MAX_CACHE_BYTES)


def _read_tokens(path: Path, report: Callable[[str], None]) -> Tokens | None:
    content = read_cached(path, report)
    if content is None:
        return None
    arrays = safetensors.load(content)
    truncated = int(arrays["truncated"][0])
    optional = arrays.get("text_starts"), arrays.get("token_types")
    return Tokens(arrays["token_ids"], arrays["offsets"], truncated, *optional)
