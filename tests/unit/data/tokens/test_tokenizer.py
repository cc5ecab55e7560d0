from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, pre_tokenizers

from ranklet.data.tokens.tokenizer import CHUNK_TEXTS, load_tokenizer, tokenize, write_tokenizer
from ranklet.errors import DataError, RunError, WeightsError

BERT_VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdé", *(f"##{c}" for c in "abcd")]
BPE_MERGES = [("a", "b"), ("ab", "c"), ("Ġ", "a")]


def write_bert(folder: Path, settings: object = None) -> None:
    (folder / "vocab.txt").write_text("\n".join(BERT_VOCAB) + "\n", encoding="utf-8")
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_roberta(folder: Path, merges: Sequence[tuple[str, str]] = BPE_MERGES) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(a + b for a, b in BPE_MERGES), "<mask>"]
    vocab = {name: index for index, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")


def write_json(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    write_bert(folder)
    content = json.loads(load_tokenizer(folder).to_str())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))


def rows(tokenizer: Tokenizer, texts: Sequence[str], max_length: int = 16) -> list[list[int]]:
    tokens = tokenize(tokenizer, texts, max_length)
    return [part.tolist() for part in np.split(tokens.token_ids, tokens.offsets[1:-1])]


@pytest.fixture
def bert(tmp_path: Path) -> Tokenizer:
    write_bert(tmp_path)
    return load_tokenizer(tmp_path)


def test_tokens_are_packed_with_their_special_tokens(bert: Tokenizer) -> None:
    tokens = tokenize(bert, ["ab", "", "A\tB", "ü"], 16)
    assert tokens.token_ids.tolist() == [2, 5, 11, 3, 2, 3, 2, 5, 6, 3, 2, 1, 3]
    assert tokens.offsets.tolist() == [0, 4, 6, 10, 13]
    assert (tokens.token_ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)
    assert tokens.truncated == 0


def test_no_texts(bert: Tokenizer) -> None:
    tokens = tokenize(bert, [], 16)
    assert tokens.offsets.tolist() == [0]
    assert (tokens.token_ids.dtype, len(tokens.token_ids)) == (np.int32, 0)


def test_cut_texts_keep_special_tokens_and_are_counted(bert: Tokenizer) -> None:
    tokens = tokenize(bert, ["a b", "a b c", "a b c d"], 4)
    assert tokens.token_ids.tolist() == [2, 5, 6, 3] * 3
    assert tokens.truncated == 2


def test_chunks_are_joined_in_order(bert: Tokenizer) -> None:
    texts = ["a" * (1 + index % 7) for index in range(2 * CHUNK_TEXTS + 3)]
    together = rows(bert, texts, 5)
    assert together == [rows(bert, [text], 5)[0] for text in texts]


@pytest.mark.parametrize("lower", [True, False, None])
def test_lower_casing_is_read(tmp_path: Path, lower: bool | None) -> None:
    write_bert(tmp_path, None if lower is None else {"do_lower_case": lower})
    expected = [2, 1, 3] if lower is False else [2, 5, 3]
    assert rows(load_tokenizer(tmp_path), ["A"]) == [expected]


def test_roberta_frame(tmp_path: Path) -> None:
    write_roberta(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("abc a<mask>").tokens == ["<s>", "abc", "Ġa", "<mask>", "</s>"]


def test_padding_and_truncation_of_tokenizer_json_are_removed(tmp_path: Path) -> None:
    write_bert(tmp_path)
    fixed = load_tokenizer(tmp_path)
    fixed.enable_padding(length=8)
    fixed.enable_truncation(3)
    fixed.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).encode("a b").ids == [2, 5, 6, 3]
    # A tokenizer that a caller set up is used without them and given back as it was.
    assert rows(fixed, ["a b"]) == [[2, 5, 6, 3]]
    assert fixed.encode("a b").ids == [2, 5, 3, 0, 0, 0, 0, 0]
    write_tokenizer(fixed, tmp_path, 16)
    written = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert (written.padding, written.truncation) == (None, None)


class Recorder:
    """A tokenizer that notes how many characters it was given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.characters = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def encode(self, text: str) -> Any:
        self.characters += len(text)
        return self.tokenizer.encode(text)

    def encode_batch(self, texts: list[str]) -> Any:
        self.characters += sum(map(len, texts))
        return self.tokenizer.encode_batch(texts)


@pytest.mark.parametrize(
    ("text", "most_characters", "ids"),
    [
        ("ab " * 700_000, 20 * 8 + 256, [2, 5, 11, 5, 11, 5, 11, 3]),
        (" " * 500 + "ab " * 700_000, 180 * 8 + 512, [2, 5, 11, 5, 11, 5, 11, 3]),
        ("a" * 1_000 + " b" * 1_000_000, 180 * 8 + 512, [2, 1, 6, 6, 6, 6, 6, 3]),
        (" " * 2_000_000 + "ab", 1_460 * 8 + 768, [2, 3]),
    ],
)
def test_huge_texts_cost_little(
    bert: Tokenizer, text: str, most_characters: int, ids: list[int]
) -> None:
    recorder = Recorder(bert)
    tokens = tokenize(recorder, [text], 8)  # type: ignore[arg-type]
    assert tokens.token_ids.tolist() == ids
    assert tokens.truncated == 1
    assert 0 < recorder.characters <= most_characters


def test_word_across_the_first_look_is_seen_whole(bert: Tokenizer) -> None:
    # The first 416 characters end in eight letters, enough tokens; the word has 150 and is unknown.
    tokens = tokenize(bert, [" " * 408 + "a" * 150], 8)
    assert tokens.token_ids.tolist() == [2, 1, 3]
    assert tokens.truncated == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a\ud800b", r"^texts\[1\]: half a character .*'\\ud800'\) at position 1"),
        ("\udfff", "at position 0"),
        (None, "expected text, found NoneType"),
        (float("nan"), "expected text, found float"),
        (b"a", "expected text, found bytes"),
    ],
)
def test_texts_that_cannot_be_tokenized(bert: Tokenizer, text: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        tokenize(bert, ["fine", text], 16)
    str(caught.value).encode("utf-8")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("max_length", [-1, 0, 2])
def test_max_length_without_room(bert: Tokenizer, max_length: int) -> None:
    with pytest.raises(DataError, match=r"^max_length: .* use at least 3"):
        tokenize(bert, ["a"], max_length)
    assert rows(bert, ["a b"], 3) == [[2, 5, 3]]


def damage(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return apply


def cut_merges(folder: Path) -> None:
    write_roberta(folder)
    vocab = json.loads((folder / "vocab.json").read_text())
    extra = {f"a{'b' * count}": len(vocab) + count - 2 for count in range(2, 22)}
    (folder / "vocab.json").write_text(json.dumps(vocab | extra))


DAMAGED: dict[str, tuple[Callable[[Path], None], ...]] = {
    "no tokenizer; it must hold": (),
    "tokenizer.json: damaged tokenizer": (
        lambda f: write_json(f, lambda content: content["model"].pop("vocab")),
    ),
    r"damaged tokenizer .*\[UNK\]": (
        lambda f: write_json(f, lambda content: content["model"]["vocab"].pop("[UNK]")),
    ),
    "tokenizer.json: damaged JSON": (
        lambda f: write_json(f, lambda content: None),
        damage("tokenizer.json", lambda data: data[: len(data) // 2]),
    ),
    "tokenizer.json: cannot be read": (
        lambda f: write_json(f, lambda content: None),
        damage("tokenizer.json", lambda data: data.replace(b"a", b"\xff")),
    ),
    "vocab.json: damaged JSON": (write_roberta, damage("vocab.json", lambda data: data[:-9])),
    "vocab.json: damaged vocabulary": (
        write_roberta,
        damage("vocab.json", lambda data: data.replace(b": 7,", b": 8,")),
    ),
    "vocab.json: damaged vocabulary; it": (write_roberta, damage("vocab.json", lambda _: b"{}")),
    "vocab.json: expected a JSON object, found list": (
        write_roberta,
        damage("vocab.json", lambda _: b"[]"),
    ),
    "vocab.json: special tokens </s> are missing": (
        write_roberta,
        damage("vocab.json", lambda data: data.replace(b"</s>", b"<s/>")),
    ),
    r"merges.txt:3: 'ab' must be": (
        write_roberta,
        damage("merges.txt", lambda data: data.replace(b"ab c", b"ab")),
    ),
    r"merges.txt:2: 'a z' must be": (
        write_roberta,
        damage("merges.txt", lambda data: data.replace(b"a b\n", b"a z\n")),
    ),
    r"merges.txt: \d+ tokens of vocab.json come from no merge": (cut_merges,),
    r"vocab.txt: special tokens \[CLS\] are missing": (
        write_bert,
        damage("vocab.txt", lambda data: data.replace(b"[CLS]", b"[cls]")),
    ),
    r"vocab.txt: special tokens \[UNK\], \[CLS\], \[SEP\] are": (
        write_bert,
        damage("vocab.txt", lambda _: b""),
    ),
    "do_lower_case is 'false'; it must be true or false": (
        lambda f: write_bert(f, {"do_lower_case": "false"}),
    ),
    "do_lower_case is None": (lambda f: write_bert(f, {"do_lower_case": None}),),
    "strip_accents is 1": (lambda f: write_bert(f, {"strip_accents": 1}),),
    "tokenizer_config.json: damaged JSON": (
        lambda f: write_bert(f, {}),
        damage("tokenizer_config.json", lambda _: b"{"),
    ),
}


@pytest.mark.parametrize("problem", DAMAGED)
def test_damaged_files_are_refused_by_name(tmp_path: Path, problem: str) -> None:
    for step in DAMAGED[problem]:
        step(tmp_path)
    with pytest.raises(WeightsError, match=problem) as caught:
        load_tokenizer(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_tokenizer_is_not_written_into_a_missing_folder(tmp_path: Path, bert: Tokenizer) -> None:
    with pytest.raises(RunError, match="create the folder first"):
        write_tokenizer(bert, tmp_path / "missing", 16)
