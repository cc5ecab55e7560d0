"""Our tokenizers against tokenizer.json and against transformers, on the same files."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, pre_tokenizers, processors

from ranklet.data.tokens.long_texts import LongTexts
from ranklet.data.tokens.tokenizer import load_tokenizer, tokenize, write_tokenizer

TEXTS = [
    "",
    " ",
    "Hello World, this is Reuters.",
    "  leading and trailing  ",
    "Ünïcödé café naïve ﬁn Straße İstanbul",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flags 😀😀",
    "中文字符 日本語 한국어 العربية हिन्दी ไทย",
    "<p class='x'>HTML &amp; entities&#39;s</p><br/>",
    "AT&amp;T #39;s \\ backslashes\\n $1,234.56 -- 50%",
    "it's we'll they've I'm don't",
    "tabs\tand\nnew\r\nlines\x0b\x0c\x85\u2028",
    "control \x00\x01\x7f \u200b\ufeff\u00a0 spaces",
    "e\u0301 decomposed \u1e9b\u0323 \ufdfa",
    "antidisestablishmentarianism " * 3,
    "x" * 101 + " " + "y" * 100,
    "-" * 300,
    "[CLS] written [SEP] in [MASK] text <s> </s> <mask> <unk> [UNK]",
    "The quick brown Fox jumps. " * 400,
]

MAX_LENGTHS = [3, 8, 128]


def ids(tokenizer: Tokenizer, texts: Sequence[str] = TEXTS) -> list[list[int]]:
    return [tokenizer.encode(text).ids for text in texts]


def ours_cut(tokenizer: Tokenizer, max_length: int) -> list[list[int]]:
    tokens = tokenize(tokenizer, TEXTS, max_length)
    parts = zip(tokens.offsets, tokens.offsets[1:], strict=False)
    return [tokens.token_ids[start:end].tolist() for start, end in parts]


@cache
def ours(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@cache
def auto_tokenizer(folder: Path) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(folder)


def theirs(folder: Path, **options: Any) -> list[list[int]]:
    tokenizer = auto_tokenizer(folder)
    return [tokenizer(text, **options)["input_ids"] for text in TEXTS]


def only(source: Path, target: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(source / name, target / name)
    return target


@pytest.fixture
def roberta_vocab(roberta_base_folder: Path, tmp_path: Path) -> Path:
    return only(roberta_base_folder, tmp_path, "vocab.json", "merges.txt", "config.json")


@pytest.fixture
def bert_vocab(minilm_folder: Path, tmp_path: Path) -> Path:
    return only(minilm_folder, tmp_path, "vocab.txt", "config.json")


@pytest.fixture(params=["roberta", "bert"])
def real_folder(request: pytest.FixtureRequest) -> Path:
    name = {"roberta": "roberta_base_folder", "bert": "minilm_folder"}[request.param]
    folder: Path = request.getfixturevalue(name)
    return folder


def test_roberta_vocab_and_merges_equal_tokenizer_json(
    roberta_base_folder: Path, roberta_vocab: Path
) -> None:
    assert ids(load_tokenizer(roberta_vocab)) == ids(ours(roberta_base_folder))


def test_roberta_vocab_and_merges_equal_transformers(roberta_vocab: Path) -> None:
    assert ids(load_tokenizer(roberta_vocab)) == theirs(roberta_vocab)


def test_roberta_sabotaged_by_shuffled_merges(
    roberta_base_folder: Path, roberta_vocab: Path
) -> None:
    path = roberta_vocab / "merges.txt"
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
    random.Random(0).shuffle(lines)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert ids(load_tokenizer(roberta_vocab)) != ids(ours(roberta_base_folder))


def test_roberta_sabotaged_by_prefix_space(roberta_base_folder: Path, roberta_vocab: Path) -> None:
    spaced = load_tokenizer(roberta_vocab)
    spaced.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert ids(spaced) != ids(ours(roberta_base_folder))


def test_bert_vocab_equals_tokenizer_json(minilm_folder: Path, bert_vocab: Path) -> None:
    assert ids(load_tokenizer(bert_vocab)) == ids(ours(minilm_folder))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": True, "strip_accents": None},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
    ],
)
def test_bert_vocab_equals_transformers(bert_vocab: Path, settings: dict[str, Any]) -> None:
    config = {"tokenizer_class": "BertTokenizer", **settings}
    (bert_vocab / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert ids(load_tokenizer(bert_vocab)) == theirs(bert_vocab)


@pytest.mark.parametrize(
    "settings",
    [{"do_lower_case": False}, {"strip_accents": False}, {"tokenize_chinese_chars": False}],
)
def test_bert_sabotaged_by_normalization(
    minilm_folder: Path, bert_vocab: Path, settings: dict[str, Any]
) -> None:
    (bert_vocab / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert ids(load_tokenizer(bert_vocab)) != ids(ours(minilm_folder))


@pytest.mark.parametrize("max_length", MAX_LENGTHS)
def test_cut_texts_equal_transformers(real_folder: Path, max_length: int) -> None:
    cut = ours_cut(ours(real_folder), max_length)
    assert cut == theirs(real_folder, truncation=True, max_length=max_length)


def windows(folder: Path, max_length: int, overlap: float) -> list[list[int]]:
    tokens = tokenize(ours(folder), TEXTS, max_length, LongTexts("windows", overlap))
    parts = zip(tokens.offsets, tokens.offsets[1:], strict=False)
    return [tokens.token_ids[start:end].tolist() for start, end in parts]


def their_windows(folder: Path, max_length: int, repeated: int) -> list[list[int]]:
    given = {"truncation": True, "max_length": max_length, "return_overflowing_tokens": True}
    tokenizer = auto_tokenizer(folder)
    return [row for t in TEXTS for row in tokenizer(t, stride=repeated, **given)["input_ids"]]


@pytest.mark.parametrize(
    ("max_length", "overlap", "repeated"), [(3, 0.0, 0), (8, 0.5, 3), (128, 0.25, 31)]
)
def test_windows_equal_transformers(
    real_folder: Path, max_length: int, overlap: float, repeated: int
) -> None:
    found = windows(real_folder, max_length, overlap)
    assert len(found) > len(TEXTS)
    assert found == their_windows(real_folder, max_length, repeated)


def test_windows_sabotaged_by_another_overlap(real_folder: Path) -> None:
    assert windows(real_folder, 8, 0.4) != their_windows(real_folder, 8, 3)


@pytest.mark.parametrize("max_length", MAX_LENGTHS)
def test_head_and_tail_are_the_ends_of_what_transformers_gives(
    real_folder: Path, max_length: int
) -> None:
    tokens = tokenize(ours(real_folder), TEXTS, max_length, LongTexts("head_tail"))
    parts = zip(tokens.offsets, tokens.offsets[1:], strict=False)
    whole = theirs(real_folder)
    head = 1 + max_length // 4  # of max_length - 2 tokens a quarter, rounded, and the first
    expected = [
        row if len(row) <= max_length else row[:head] + row[len(row) - (max_length - head) :]
        for row in whole
    ]
    assert [tokens.token_ids[start:end].tolist() for start, end in parts] == expected
    assert tokens.truncated == sum(len(row) > max_length for row in whole)


def test_cut_sabotaged_by_losing_the_last_special_token(real_folder: Path) -> None:
    sliced = [row[:8] for row in ids(ours(real_folder))]
    assert sliced != theirs(real_folder, truncation=True, max_length=8)


def test_written_tokenizer_gives_the_same_ids_in_transformers(
    real_folder: Path, tmp_path: Path
) -> None:
    tokenizer = ours(real_folder)
    write_tokenizer(tokenizer, tmp_path, 128)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    assert theirs(tmp_path) == ids(tokenizer)
    # Without a length of its own, transformers cuts at model_max_length.
    assert theirs(tmp_path, truncation=True) == ours_cut(tokenizer, 128)


def test_written_tokenizer_pads_in_transformers(real_folder: Path, tmp_path: Path) -> None:
    tokenizer = ours(real_folder)
    write_tokenizer(tokenizer, tmp_path, 128)
    loaded = auto_tokenizer(tmp_path)
    batch = loaded(["a", "a b c"], padding=True)
    short = tokenizer.encode("a").ids
    padding = [loaded.pad_token_id] * 2
    assert loaded.pad_token in ("<pad>", "[PAD]")
    assert sorted(batch) == ["attention_mask", "input_ids"]
    assert batch["input_ids"][0] == short + padding


def test_written_tokenizer_keeps_how_a_mask_takes_spaces(
    roberta_base_folder: Path, tmp_path: Path
) -> None:
    # The hub's roberta-base says lstrip for <mask>; a plain name in the settings must not undo it.
    tokenizer = load_tokenizer(roberta_base_folder)
    before = ids(tokenizer)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    write_tokenizer(tokenizer, tmp_path, 128)
    assert theirs(tmp_path) == ids(tokenizer) != before


def test_written_tokenizer_sabotaged_by_swapped_special_tokens(
    roberta_base_folder: Path, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(roberta_base_folder)
    expected = ids(tokenizer)
    tokenizer.post_processor = processors.RobertaProcessing(("<s>", 0), ("</s>", 2))
    write_tokenizer(tokenizer, tmp_path, 128)
    assert theirs(tmp_path) != expected
