"""TokenCorpus: one split, tokenized once, and its cache on disk.

The cache spares the second run the tokenizer. It may be deleted at any time and never makes a run
fail: what cannot be read, is damaged or cannot be written only means tokenizing again. Labels are
never stored in it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tokenizers import Tokenizer

from ranklet.batch import Batch
from ranklet.data.tokenizer import Tokens, check_texts, tokenize
from ranklet.errors import DataError
from ranklet.files import write_atomically

# Part of every key: raise it whenever the same texts would give other ids or another file.
CACHE_FORMAT = "ranklet token cache 1"

MAX_CACHE_BYTES = 2 * 1024**3


class Corpus(Protocol):
    """The texts of one split as batches: tokens, or states computed from them."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (texts,) int64."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(texts,) int64 class indices, or None."""

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
        truncated: Number of texts that were cut to the longest length allowed.
    """

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    truncated: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (texts,) int64."""
        return np.diff(self.offsets)

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Pack some texts, in the order given.

        Args:
            indices: (texts of the batch,) integers from 0; one may come more than once.

        Returns:
            The batch on the CPU; labels are None where the corpus has none.

        Raises:
            IndexError: An index outside the corpus.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if np.any((chosen < 0) | (chosen >= len(self))):
            raise IndexError(f"batch indices must lie in 0..{len(self) - 1}")
        lengths = self.lengths[chosen]
        token_ids = self.token_ids[self.rows(chosen)]
        return Batch(
            token_ids=torch.from_numpy(token_ids.astype(np.int64)),
            cu_seqlens=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
            max_seqlen=int(lengths.max(initial=0)),
            labels=None if self.labels is None else torch.from_numpy(self.labels[chosen]),
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


def build_corpus(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    labels: Sequence[int] | NDArray[np.integer] | None,
    max_length: int,
    cache_folder: Path | None,
) -> TokenCorpus:
    """Tokenize the texts of a split, or take the ids of an earlier run from the cache.

    Args:
        tokenizer: As `load_tokenizer` gives it.
        texts: One per row.
        labels: Class index of each text, or None.
        max_length: Most tokens per text, special ones included.
        cache_folder: Where ids are kept, such as `default_cache_folder()`; None: nowhere.

    Raises:
        DataError: A text that cannot be tokenized, or not one label per text.
    """
    if labels is not None and len(labels) != len(texts):
        raise DataError(f"{len(labels)} labels for {len(texts)} texts; give one each", "labels")
    tokens = _cached_tokens(tokenizer, texts, max_length, cache_folder)
    classes = None if labels is None else np.array(labels, dtype=np.int64)
    return TokenCorpus(tokens.token_ids, tokens.offsets, classes, tokens.truncated)


def default_cache_folder() -> Path:
    """Return `$RANKLET_CACHE`, else `$XDG_CACHE_HOME/ranklet`, else `~/.cache/ranklet`.

    An account without a home folder gets one of its own among the temporary files.
    """
    own = os.environ.get("RANKLET_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared and os.path.isabs(shared):  # its specification: a relative one is to be ignored
        return Path(shared) / "ranklet"
    try:
        return Path.home() / ".cache" / "ranklet"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"ranklet-{os.getuid()}"


def _cached_tokens(
    tokenizer: Tokenizer, texts: Sequence[str], max_length: int, cache_folder: Path | None
) -> Tokens:
    if cache_folder is None:
        return tokenize(tokenizer, texts, max_length)
    check_texts(texts)
    key = _content_key(tokenizer, texts, max_length)
    path = cache_folder / "tokens" / f"{key}.safetensors"
    tokens = _read_tokens(path)
    if tokens is None:
        tokens = tokenize(tokenizer, texts, max_length)
        _store_tokens(path, tokens)
    return tokens


def _content_key(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> str:
    settings = (CACHE_FORMAT, tokenizers.__version__, str(max_length), tokenizer.to_str())
    return _framed_sha256(part.encode() for part in (*settings, *texts))


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
    with suppress(OSError):  # RunError is one
        # Private: token ids are the texts themselves in other letters.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, save(arrays, {"sha256": _seal(arrays)}))
        remove_oldest(path.parent, MAX_CACHE_BYTES)


def _read_tokens(path: Path) -> Tokens | None:
    try:
        with safe_open(path, framework="numpy") as stored:
            seal = (stored.metadata() or {}).get("sha256")
            names = ("token_ids", "offsets", "truncated")
            arrays: dict[str, NDArray[Any]] = {name: stored.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if seal != _seal(arrays):
        return None
    with suppress(OSError):
        os.utime(path)  # the entries used longest ago are removed first
    return Tokens(arrays["token_ids"], arrays["offsets"], int(arrays["truncated"][0]))


def _seal(arrays: Mapping[str, NDArray[Any]]) -> str:
    def parts() -> Iterator[bytes]:
        for name, array in arrays.items():
            yield f"{name} {array.dtype} {array.shape}".encode()
            yield array.tobytes()

    return _framed_sha256(parts())


def remove_oldest(folder: Path, max_bytes: int) -> None:
    """Delete the files of a cache that were used longest ago until the rest takes `max_bytes`."""
    files = [(entry.stat(), entry) for entry in folder.iterdir() if entry.is_file()]
    total = 0
    for status, entry in sorted(files, key=lambda file: file[0].st_mtime, reverse=True):
        total += status.st_size
        if total > max_bytes:
            entry.unlink(missing_ok=True)
