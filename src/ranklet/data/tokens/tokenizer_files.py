"""Readers of the three kinds of tokenizer files in Hugging Face folders.

Each gives the ids that `transformers` gives for the same files. A file that is cut short or
inconsistent is refused by name, as far as the file itself can show it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from ranklet.data.tokens.tokenizer_checks import LARGEST_FILE, UnsafeTokenizer, check_tokenizer
from ranklet.errors import WeightsError

BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def read_tokenizer_json(path: Path) -> Tokenizer:
    """Read a tokenizer.json, without its padding and truncation.

    Raises:
        WeightsError: A damaged file, or one that may hang, fill the memory or end the process.
    """
    text = _text(path)
    try:
        check_tokenizer(_json_object(path))
    except UnsafeTokenizer as unsafe:
        raise WeightsError(f"{path}: {unsafe}; get the encoder from someone you trust") from unsafe
    return _working(lambda: Tokenizer.from_str(text), path)


def read_byte_level_bpe(folder: Path) -> Tokenizer:
    """Build RoBERTa's tokenizer from vocab.json and merges.txt.

    Byte-level BPE (Radford et al. 2019, GPT-2) framed by `<s>` and `</s>` (Liu et al. 2019).

    Raises:
        WeightsError: A damaged file, or one without the special tokens.
    """
    vocab = _vocab(folder / "vocab.json")
    merges = _merges(folder / "merges.txt", vocab)
    _require(vocab, ("<s>", "</s>"), folder / "vocab.json")

    def build() -> Tokenizer:
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        # By position: the argument is called cls at run time and cls_token in the type stubs.
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), True, False
        )
        tokenizer.add_special_tokens(_special_tokens(ROBERTA_SPECIAL, vocab))
        return tokenizer

    return _working(build, folder / "merges.txt")


def read_word_piece(folder: Path) -> Tokenizer:
    """Build BERT's tokenizer from vocab.txt (Devlin et al. 2019).

    Lower-casing, accents and Chinese characters are treated as `do_lower_case` (default true),
    `strip_accents` (default: as lower-casing) and `tokenize_chinese_chars` (default true) of
    tokenizer_config.json say.

    Raises:
        WeightsError: A damaged file, or one without the special tokens.
    """
    lines = _text(folder / "vocab.txt").removesuffix("\n").split("\n")
    vocab = {token: index for index, token in enumerate(lines)}
    _require(vocab, ("[UNK]", "[CLS]", "[SEP]"), folder / "vocab.txt")
    settings = _bert_settings(folder / "tokenizer_config.json")

    def build() -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(
            lowercase=settings["do_lower_case"],
            strip_accents=settings["strip_accents"],
            handle_chinese_chars=settings["tokenize_chinese_chars"],
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.post_processor = processors.BertProcessing(
            ("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"])
        )
        tokenizer.add_special_tokens(_special_tokens(BERT_SPECIAL, vocab))
        return tokenizer

    return _working(build, folder / "vocab.txt")


def _special_tokens(names: Sequence[str], vocab: dict[str, int]) -> list[AddedToken]:
    return [AddedToken(name, normalized=False, special=True) for name in names if name in vocab]


def _working(build: Callable[[], Tokenizer], path: Path) -> Tokenizer:
    try:
        tokenizer = build()
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode("a \u2603")  # a missing unknown token shows only in use
    except BaseException as error:  # tokenizers raises nothing narrower, and panics with this
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: damaged tokenizer ({reason}); get the file again") from error
    return tokenizer


def _bert_settings(path: Path) -> dict[str, Any]:
    config = _json_object(path) if path.is_file() else {}
    defaults = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
    settings = {name: config.get(name, default) for name, default in defaults.items()}
    for name, value in settings.items():
        if not isinstance(value, bool) and (value is not None or defaults[name] is not None):
            raise WeightsError(f"{path}: {name} is {value!r}; it must be true or false")
    return settings


def _vocab(path: Path) -> dict[str, int]:
    vocab = _json_object(path)
    ids = set(vocab.values()) if all(type(index) is int for index in vocab.values()) else set()
    if not vocab or ids != set(range(len(vocab))):
        raise WeightsError(
            f"{path}: damaged vocabulary; it must map every token to its own number, "
            "counted from 0; get the file again"
        )
    return vocab


def _merges(path: Path, vocab: dict[str, int]) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        left, _, right = line.partition(" ")
        if not {left, right, left + right} <= vocab.keys():
            raise WeightsError(
                f"{path}:{number}: {line!r} must be two tokens of vocab.json whose "
                "concatenation is a token too; get both files again"
            )
        merges.append((left, right))
    _refuse_cut_merges(path, vocab, merges)
    return merges


def _refuse_cut_merges(path: Path, vocab: dict[str, int], merges: list[tuple[str, str]]) -> None:
    # Only special and filler tokens are made by no merge: 9 of 50,265 in RoBERTa.
    made = {left + right for left, right in merges}
    orphans = sum(len(token) > 1 and token not in made for token in vocab)
    if orphans > max(16, len(vocab) // 100):
        raise WeightsError(
            f"{path}: {orphans} tokens of vocab.json come from no merge, so lines are missing; "
            "get the file again"
        )


def _require(vocab: dict[str, int], names: Sequence[str], path: Path) -> None:
    missing = [name for name in names if name not in vocab]
    if missing:
        raise WeightsError(
            f"{path}: special tokens {', '.join(missing)} are missing; "
            "get the file again, or give a tokenizer.json"
        )


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged JSON ({error}); get the file again") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise WeightsError(f"{path}: has more than {LARGEST_FILE:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); get the file again") from error
