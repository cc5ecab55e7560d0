"""Tokens beyond the vocabulary: the ids of transformers for the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import pre_tokenizers

from ranklet.data.tokens.added_tokens import CONFIG, NUMBERED, SPECIAL
from ranklet.data.tokens.tokenizer import load_tokenizer
from ranklet.errors import WeightsError

pytestmark = pytest.mark.filterwarnings("ignore")

BERT = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s", "<", "e1", ">"),
    *("url", "[", "]", "ent"),
]
ROBERTA = [
    *("<s>", "<pad>", "</s>", "<unk>"),
    *sorted(pre_tokenizers.ByteLevel.alphabet()),
    *("he", "ll", "hell", "hello", "<mask>"),
]
MERGES = ["#version: 0.2", "h e", "l l", "he ll", "hell o", ""]
TEXTS = [
    "hello <e1> world",
    "hello URL url [ENT] worlds",
    "[ent] <E1>",
    "hello<e1>world [MASK] x[SEP] <mask> y</s>",
]
MASK = {"content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False}
ENTITY = {"content": "<e1>", "lstrip": False, "normalized": True, "rstrip": False}

# (model_type, files beside the vocabulary)
FOLDERS: list[tuple[str, dict[str, Any]]] = [
    ("bert", {NUMBERED: {"<e1>": 15, "[ENT]": 16}}),
    ("bert", {NUMBERED: {"<e1>": 16, "[ENT]": 15}}),
    ("bert", {NUMBERED: {"<e1>": 100, "[ENT]": 50}}),
    ("bert", {NUMBERED: {"url": 11, "<e1>": 15}}),
    ("bert", {NUMBERED: {"[ENT]": 15}, SPECIAL: {"additional_special_tokens": ["[ENT]"]}}),
    ("bert", {SPECIAL: {"additional_special_tokens": ["[ENT]"]}}),
    ("bert", {CONFIG: {"additional_special_tokens": ["[ENT]"]}}),
    ("bert", {CONFIG: {"added_tokens_decoder": {"15": ENTITY}}, NUMBERED: {"[ENT]": 16}}),
    ("roberta", {NUMBERED: {"<e1>": len(ROBERTA), "[ENT]": len(ROBERTA) + 1}}),
    ("roberta", {SPECIAL: {"mask_token": MASK}}),
    ("roberta", {CONFIG: {"add_prefix_space": True}}),
]


def write_folder(model_type: str, files: dict[str, Any], folder: Path) -> Path:
    if model_type == "bert":
        (folder / "vocab.txt").write_text("\n".join(BERT) + "\n", encoding="utf-8")
    else:
        vocab = {token: number for number, token in enumerate(ROBERTA)}
        (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
        (folder / "merges.txt").write_text("\n".join(MERGES), encoding="utf-8")
    for name, content in ({"config.json": {"model_type": model_type}} | files).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def ours(folder: Path) -> list[list[int]]:
    tokenizer = load_tokenizer(folder)
    return [tokenizer.encode(text).ids for text in TEXTS]


def theirs(folder: Path) -> list[list[int]]:
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(folder)
    return [tokenizer(text)["input_ids"] for text in TEXTS]


@pytest.mark.parametrize(("model_type", "files"), FOLDERS)
def test_ids_are_those_of_transformers(
    model_type: str, files: dict[str, Any], tmp_path: Path
) -> None:
    assert ours(write_folder(model_type, files, tmp_path)) == theirs(tmp_path)


@pytest.mark.parametrize(("model_type", "files"), FOLDERS)
def test_without_these_files_the_ids_are_others(
    model_type: str, files: dict[str, Any], tmp_path: Path
) -> None:
    expected = ours(write_folder(model_type, files, tmp_path))
    for name in files:
        (tmp_path / name).unlink()
    assert ours(tmp_path) != expected


@pytest.mark.parametrize("beside", [NUMBERED, CONFIG])
def test_a_tokenizer_json_takes_them_too(beside: str, tmp_path: Path) -> None:
    write_folder("bert", {}, tmp_path)
    load_tokenizer(tmp_path).save(str(tmp_path / "tokenizer.json"))
    before = ours(tmp_path)
    added = {NUMBERED: {"<e1>": 15}, CONFIG: {"added_tokens_decoder": {"15": ENTITY}}}
    (tmp_path / beside).write_text(json.dumps(added[beside]), encoding="utf-8")
    assert ours(tmp_path) == theirs(tmp_path) != before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({NUMBERED: {"<e1>": "x"}}, f"{NUMBERED}: ids must be numbers"),
        ({NUMBERED: ["<e1>"]}, f"{NUMBERED}: expected a JSON object, found list"),
        ({CONFIG: {"added_tokens_decoder": {"15": 3}}}, f"{CONFIG}: 3 is no token"),
        ({CONFIG: {"mask_token": "<m>"}}, "mask_token is '<m>', and .* ranklet convert "),
    ],
)
def test_what_cannot_be_read_is_refused(
    files: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        ours(write_folder("bert", files, tmp_path))
