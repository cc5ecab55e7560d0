"""Readers of the three kinds of tokenizer files in Hugging Face folders.

Each gives the ids that `transformers` gives for the same files, with the tokens beyond the
vocabulary that `added_tokens` reads. A file that is cut short or inconsistent is refused by name,
as far as the file itself can show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

from ranklet.data.tokens.added_tokens import (
    added_tokens,
    first_of_each_name,
    json_object,
    read_text,
    special_names,
)
from ranklet.data.tokens.tokenizer_checks import UnsafeTokenizer, check_tokenizer
from ranklet.errors import WeightsError, convert_command

# Who plays which role. A folder that names others needs a tokenizer.json.
BERT_SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ROBERTA_SPECIAL = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def read_tokenizer_json(path: Path) -> Tokenizer:
    """Read a tokenizer.json, without its padding and truncation.

    Raises:
        WeightsError: A damaged file, or one that may hang, fill the memory or end the process.
    """
    text, added = read_text(path), added_tokens(path.parent)
    try:
        check_tokenizer(json_object(path))
    except UnsafeTokenizer as unsafe:
        raise WeightsError(f"{path}: {unsafe}; get the encoder from someone you trust") from unsafe

    def build() -> Tokenizer:
        tokenizer = Tokenizer.from_str(text)
        tokenizer.add_tokens(added)  # those that it knows stay as they are
        return tokenizer

    return _working(build, path)


def read_byte_level_bpe(folder: Path) -> Tokenizer:
    """Build RoBERTa's tokenizer from vocab.json and merges.txt.

    Byte-level BPE (Radford et al. 2019, GPT-2) framed by `<s>` and `</s>` (Liu et al. 2019).

    Raises:
        WeightsError: A damaged file, or one without the special tokens.
    """
    vocab = _vocab(folder / "vocab.json")
    merges = _merges(folder / "merges.txt", vocab)
    _require(vocab, ("<s>", "</s>"), folder / "vocab.json")
    added = _tokens_to_add(ROBERTA_SPECIAL, vocab, folder)
    with_space = _flag(folder / "tokenizer_config.json", "add_prefix_space", False)

    def build() -> Tokenizer:
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=with_space)
        tokenizer.decoder = decoders.ByteLevel()
        # By position: the argument is called cls at run time and cls_token in the type stubs.
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]), True, with_space
        )
        tokenizer.add_tokens(added)
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
    lines = read_text(folder / "vocab.txt").removesuffix("\n").split("\n")
    vocab = {token: index for index, token in enumerate(lines)}
    _require(vocab, ("[UNK]", "[CLS]", "[SEP]"), folder / "vocab.txt")
    settings = _bert_settings(folder / "tokenizer_config.json")
    added = _tokens_to_add(BERT_SPECIAL, vocab, folder)

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
        tokenizer.add_tokens(added)
        return tokenizer

    return _working(build, folder / "vocab.txt")


def _tokens_to_add(
    roles: Mapping[str, str], vocab: Mapping[str, int], folder: Path
) -> list[AddedToken]:
    """List what is beyond the vocabulary, then its special tokens; the first of a name counts."""
    for role, name in special_names(folder).items():
        if roles.get(role, name) != name:
            raise WeightsError(
                f"{folder}: {role} is {name!r}, and without a tokenizer.json only {roles[role]!r} "
                f"is read; write one: {convert_command(folder)}"
            )
    special = [
        AddedToken(name, normalized=False, special=True) for name in roles.values() if name in vocab
    ]
    return first_of_each_name([*added_tokens(folder), *special])


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
    return {
        "do_lower_case": _flag(path, "do_lower_case", True),
        "strip_accents": _flag(path, "strip_accents", None),
        "tokenize_chinese_chars": _flag(path, "tokenize_chinese_chars", True),
    }


def _flag(path: Path, name: str, default: bool | None) -> Any:
    config = json_object(path) if path.is_file() else {}
    value = config.get(name, default)
    if not isinstance(value, bool) and (value is not None or default is not None):
        raise WeightsError(f"{path}: {name} is {value!r}; it must be true or false")
    return value


def _vocab(path: Path) -> dict[str, int]:
    vocab = json_object(path)
    ids = set(vocab.values()) if all(type(index) is int for index in vocab.values()) else set()
    if not vocab or ids != set(range(len(vocab))):
        raise WeightsError(
            f"{path}: damaged vocabulary; it must map every token to its own number, "
            "counted from 0; get the file again"
        )
    return vocab


def _merges(path: Path, vocab: dict[str, int]) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
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
