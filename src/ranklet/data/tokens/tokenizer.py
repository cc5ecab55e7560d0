"""Texts to token ids: the same call in training, evaluation and prediction.

Reads the tokenizer files of a Hugging Face folder through `tokenizers` alone and writes them back
for `transformers`. Ids are those of `transformers` with truncation (of pairs by `longest_first`)
and without padding; padding never happens here. Models in SentencePiece files without a
tokenizer.json are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ranklet.data.texts import Text
from ranklet.data.tokens.long_texts import LongTexts, cut_text, longest_first
from ranklet.data.tokens.tokenizer_files import (
    read_byte_level_bpe,
    read_tokenizer_json,
    read_word_piece,
)
from ranklet.errors import DataError, WeightsError, convert_command
from ranklet.files import write_atomically

# Roles that transformers asks for by name, and who plays them in either family.
_ROLES = {
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "pad_token": ("[PAD]", "<pad>"),
    "unk_token": ("[UNK]", "<unk>"),
    "mask_token": ("[MASK]", "<mask>"),
}

# One call keeps this many texts' encodings in memory.
CHUNK_TEXTS = 256

BEGINNING_ONLY = LongTexts()

# From this share on, unknown tokens are worth a word: English has next to none.
MANY_UNKNOWN = 0.05

# Characters looked at per token asked for: first 20, and only where they give too few tokens
# (white space, very long words) 160, at last 1,280. English has about 4.5 per token; the longest
# token of RoBERTa is a rule of 128 characters, white space gives BERT no tokens at all.
CHARACTERS_PER_TOKEN = (20, 160, 1280)

# A cut through a word changes that word's tokens, so the last characters before a cut are not
# trusted. Longer than any token, and than the 100 characters at which WordPiece gives up a word.
MARGIN_CHARACTERS = 256


@dataclass(frozen=True)
class Tokens:
    """Token ids of texts behind each other.

    Attributes:
        token_ids: (tokens,) int32, special tokens included.
        offsets: (texts + 1,) int64, text i owns `token_ids[offsets[i]:offsets[i + 1]]`; where texts
            are split into windows, each window counts as a text here.
        truncated: Number of texts that lost tokens.
        text_starts: (texts + 1,) int64, text i owns the windows from `text_starts[i]` up to
            `text_starts[i + 1]`; None where texts are not split.
        token_types: (tokens,) int32, 0 in the first and 1 in the second text of a pair, as the
            tokenizer has it; None of single texts.
    """

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: int
    text_starts: NDArray[np.int64] | None = None
    token_types: NDArray[np.int32] | None = None


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer of a Hugging Face model folder, without padding or truncation.

    Args:
        folder: Holds tokenizer.json, or vocab.json and merges.txt (byte-level BPE as in RoBERTa),
            or vocab.txt (WordPiece as in BERT, with the lower-casing that tokenizer_config.json
            asks for); the first that is there is used.

    Raises:
        WeightsError: No such file, or a damaged one.
    """
    if (folder / "tokenizer.json").is_file():
        return _plain(read_tokenizer_json(folder / "tokenizer.json"))
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return read_byte_level_bpe(folder)
    if (folder / "vocab.txt").is_file():
        return read_word_piece(folder)
    sentencepiece = next(iter(sorted(folder.glob("*.model"))), None)
    if sentencepiece is not None:
        raise WeightsError(
            f"{folder}: no tokenizer.json, and {sentencepiece.name} is not read; convert it: "
            f"{convert_command(folder)}"
        )
    raise WeightsError(
        f"{folder}: no tokenizer; it must hold tokenizer.json, or vocab.json and merges.txt, "
        "or vocab.txt"
    )


def write_tokenizer(
    tokenizer: Tokenizer, folder: Path, model_max_length: int, with_token_types: bool = False
) -> None:
    """Write tokenizer.json and tokenizer_config.json as `transformers.AutoTokenizer` reads them.

    `model_max_length` is the longest text that the encoder takes: tokens, special ones included;
    `with_token_types` lets it tell the texts of a pair apart.

    Raises:
        RunError: A file cannot be written.
    """
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    present = {role: name for role, names in _ROLES.items() for name in names if name in special}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model_max_length,
        # Token types are all 0 for single texts, and some architectures refuse the argument.
        "model_input_names": [
            "input_ids",
            *(["token_type_ids"] if with_token_types else []),
            "attention_mask",
        ],
        **present,
    }
    write_atomically(folder / "tokenizer.json", _plain(tokenizer).to_str(pretty=True))
    write_atomically(folder / "tokenizer_config.json", json.dumps(config, indent=2) + "\n")


def tokenize(
    tokenizer: Tokenizer,
    texts: Sequence[Text],
    max_length: int,
    long_texts: LongTexts = BEGINNING_ONLY,
) -> Tokens:
    """Turn texts into token ids, cut to a length; the tokenizer is not changed.

    Where only the head of long texts is read, a text longer than 20 characters per token asked for
    is cut to that before it is tokenized, so that a text of megabytes costs milliseconds. The ids
    are those of the whole text: where the part gives too few tokens (long runs of white space,
    words of hundreds of letters) a longer one is taken, up to 1,280 characters per token; what lies
    beyond that is not seen. Head and tail, and windows, take tokens of the whole text.

    Args:
        tokenizer: As `load_tokenizer` gives it.
        texts: Any strings, empty ones included; or pairs of them, of which the longer one is cut
            until both are equally long.
        max_length: Most tokens per text, special ones included; these are kept in a cut text.
        long_texts: What happens to longer ones.

    Raises:
        DataError: A text with a lone surrogate, something that is no text, a max_length without
            room for one token, or pairs that are to be read otherwise than from their beginning.
    """
    plain = _plain(tokenizer)
    pairs = [text for text in texts if isinstance(text, tuple)]
    special = plain.num_special_tokens_to_add(bool(pairs))
    if max_length <= special:
        raise DataError(
            f"{max_length} tokens leave no room for text beside {special} special ones; "
            f"use at least {special + 1}",
            "max_length",
        )
    check_texts(texts)
    starts = range(0, len(texts), CHUNK_TEXTS)
    if pairs:
        if long_texts.mode != "head":
            raise DataError("pairs of texts need long_texts head", "long_texts")
        chunks_of_pairs = (pairs[start : start + CHUNK_TEXTS] for start in starts)
        return _joined([_tokenize_pairs(plain, chunk, max_length) for chunk in chunks_of_pairs])
    singles = [text for text in texts if isinstance(text, str)]
    chunks = (singles[start : start + CHUNK_TEXTS] for start in starts)
    if long_texts.mode == "head":
        return _joined([_tokenize_chunk(plain, chunk, max_length) for chunk in chunks])
    parts = [_tokenize_whole(plain, chunk, max_length, long_texts) for chunk in chunks]
    if long_texts.mode == "head_tail":
        return _joined(parts)
    counts = [np.diff(chunk.text_starts) for chunk in parts if chunk.text_starts is not None]
    return replace(_joined(parts), text_starts=_starts(counts))


def unknown_share(
    tokenizer: Tokenizer, token_ids: NDArray[np.int32], texts: int, pair: bool
) -> float:
    """Return the share of the tokens of texts, special ones not counted, that stand for any word.

    Byte-level tokenizers have none of these: they spell what they do not know.
    """
    special = tokenizer.num_special_tokens_to_add(pair) * texts
    ids = [tokenizer.token_to_id(name) for name in _ROLES["unk_token"]]
    unknown = int(np.isin(token_ids, [index for index in ids if index is not None]).sum())
    return unknown / max(1, len(token_ids) - special)


def check_texts(texts: Sequence[Text]) -> None:
    """Refuse what cannot be tokenized, by the index of its row.

    Raises:
        DataError: A text with a lone surrogate, something that is no text, or pairs among others.
    """
    for index, own in enumerate(texts):
        if isinstance(own, tuple) != isinstance(texts[0], tuple):
            message = "pairs of texts and single ones are mixed; give one kind"
            raise DataError(message, f"texts[{index}]")
        for text in own if isinstance(own, tuple) else (own,):
            _check_text(text, index)


def _check_text(text: str, index: int) -> None:
    if not isinstance(text, str):
        raise DataError(f"expected text, found {type(text).__name__}", f"texts[{index}]")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            message = (
                f"half a character (lone surrogate {text[error.start]!a}) at position "
                f"{error.start}; decode the source as UTF-8 or replace it"
            )
            raise DataError(message, f"texts[{index}]") from error


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    if tokenizer.padding is None and tokenizer.truncation is None:
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _tokenize_chunk(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> Tokens:
    windows = [ratio * max_length + MARGIN_CHARACTERS for ratio in CHARACTERS_PER_TOKEN]
    any_long = any(len(text) > windows[0] for text in texts)
    # The fast variant leaves out character positions, which only long texts need.
    encode = tokenizer.encode_batch if any_long else tokenizer.encode_batch_fast
    encodings = [
        _widened(tokenizer, text, encoding, windows, max_length)
        for text, encoding in zip(texts, encode([t[: windows[0]] for t in texts]), strict=True)
    ]
    cut = sum(
        len(encoding) > max_length or len(text) > windows[-1]
        for text, encoding in zip(texts, encodings, strict=True)
    )
    return _packed([_cut_ids(encoding, max_length) for encoding in encodings], cut)


def _tokenize_whole(
    tokenizer: Tokenizer, texts: Sequence[str], max_length: int, long_texts: LongTexts
) -> Tokens:
    """Tokenize texts from end to end, then cut them; says in any mode which row is whose."""
    encodings = tokenizer.encode_batch_fast(list(texts))
    split = [
        [encoding.ids]
        if len(encoding) <= max_length
        else cut_text(
            encoding.ids,
            _num_special(encoding.special_tokens_mask),
            _num_special_at_end(encoding),
            max_length,
            long_texts,
        )
        for encoding in encodings
    ]
    shortened = sum(len(encoding) > max_length for encoding in encodings)
    lossless = long_texts.mode == "windows"
    packed = _packed([row for rows in split for row in rows], 0 if lossless else shortened)
    return replace(packed, text_starts=_starts([np.array([len(rows) for rows in split])]))


def _widened(
    tokenizer: Tokenizer, text: str, encoding: Encoding, windows: list[int], max_length: int
) -> Encoding:
    for window, wider in pairwise(windows):
        if len(text) <= window or _settled(encoding, window, max_length):
            return encoding
        encoding = tokenizer.encode(text[:wider])
    return encoding


def _settled(encoding: Encoding, window: int, max_length: int) -> bool:
    """Tell whether characters after the window cannot change the tokens that are kept."""
    if len(encoding) <= max_length:
        return False
    last_kept = encoding.token_to_chars(max_length - _num_special_at_end(encoding) - 1)
    return last_kept is not None and last_kept[1] <= window - MARGIN_CHARACTERS


def _cut_ids(encoding: Encoding, max_length: int) -> list[int]:
    ids = encoding.ids
    if len(ids) <= max_length:
        return ids
    at_end = _num_special_at_end(encoding)
    return ids[: max_length - at_end] + ids[len(ids) - at_end :]


def _num_special_at_end(encoding: Encoding) -> int:
    # The mask marks only what the post-processor added, not "[SEP]" written in the text.
    return _num_special(reversed(encoding.special_tokens_mask))


def _num_special(mask: Iterable[int]) -> int:
    return next(place for place, added in enumerate(mask) if not added)


def _tokenize_pairs(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], max_length: int
) -> Tokens:
    encodings = tokenizer.encode_batch(list(pairs))
    places = [_places_kept(encoding, max_length) for encoding in encodings]
    cut = sum(len(encoding) > max_length for encoding in encodings)
    each = list(zip(encodings, places, strict=True))
    ids = [[encoding.ids[place] for place in own] for encoding, own in each]
    types = [[encoding.type_ids[place] for place in own] for encoding, own in each]
    return replace(_packed(ids, cut), token_types=_packed(types, cut).token_ids)


def _places_kept(encoding: Encoding, max_length: int) -> Sequence[int]:
    if len(encoding) <= max_length:
        return range(len(encoding))
    sides = encoding.sequence_ids
    both = sides.count(0), sides.count(1)
    room = dict(enumerate(longest_first(*both, max_length - (len(sides) - sum(both)))))
    kept = []
    for place, side in enumerate(sides):
        if side is not None:
            room[side] -= 1
        if side is None or room[side] >= 0:
            kept.append(place)
    return kept


def _packed(rows: list[list[int]], truncated: int) -> Tokens:
    offsets = _starts([np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))])
    total = int(offsets[-1])
    token_ids = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=total)
    return Tokens(token_ids, offsets, truncated)


def _joined(chunks: list[Tokens]) -> Tokens:
    offsets = _starts([np.diff(chunk.offsets) for chunk in chunks])
    token_ids = np.concatenate([np.empty(0, dtype=np.int32), *(c.token_ids for c in chunks)])
    types = [chunk.token_types for chunk in chunks if chunk.token_types is not None]
    truncated = sum(chunk.truncated for chunk in chunks)
    return Tokens(token_ids, offsets, truncated, None, np.concatenate(types) if types else None)


def _starts(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return where each part starts, and the end: (parts + 1,) int64."""
    starts: NDArray[np.int64] = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *counts]))
    return starts
