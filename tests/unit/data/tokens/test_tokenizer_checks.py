"""A stranger's tokenizer.json: what published ones do is read, what explodes is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ranklet.data.tokens.tokenizer import load_tokenizer
from ranklet.data.tokens.tokenizer_checks import LARGEST_FILE, UnsafeTokenizer, check_regex
from ranklet.errors import WeightsError

# Of published tokenizers: GPT-2, its successors, digits by threes, white space, punctuation.
PUBLISHED = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"[0-9][0-9][0-9]", r" {2,}", r"\s+", r"[\(\)\[\]]", r"(?<=\d)\.(?=\d)", r"^ ", r"[^\]]+\]",
    r"\r\n|\r", "`` ", r"(\p{L}|\d)",
]  # fmt: skip
EXPLODING = [
    "(a+)+$", "(a|a)*$", "(a?)*b", "(?:a*)*", "((a|b)c)+", "(a{1,3}){2,}", "a*a*a*a*b", r"(a)\1",
    r"(?<x>a\g<x>)", "(?P<x>a)", "(?#x)", "(?(1)a)", "a{1000000}", "(" * 20 + "a" + ")" * 20,
    "a" * 1_001, ")", "(*FAIL)", "(?~a)", "([ab]c*){3}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PUBLISHED)
def test_published_expressions_are_read(pattern: str) -> None:
    check_regex(pattern)


@pytest.mark.parametrize("pattern", EXPLODING)
def test_exploding_expressions_are_refused(pattern: str) -> None:
    with pytest.raises(UnsafeTokenizer):
        check_regex(pattern)


BASE = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"},
}


def sequence(*steps: Any) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(steps)}


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(table: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(table).decode()
    return {"type": "Precompiled", "precompiled_charsmap": encoded}


def nested(depth: int) -> dict[str, Any]:
    step: dict[str, Any] = {"type": "Lowercase"}
    for _ in range(depth):
        step = sequence(step)
    return step


def template(pieces: int, described: bool = True) -> dict[str, Any]:
    special = {"[CLS]": {"id": "[CLS]", "ids": [0], "tokens": ["[CLS]"]}} if described else {}
    piece = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [piece] * pieces, "pair": [],
            "special_tokens": special}  # fmt: skip


DOUBLED = replace({"String": "a"}, "aa")
REFUSED: dict[str, dict[str, Any]] = {
    "doubling": {"normalizer": sequence(*[DOUBLED] * 60)},
    "doubling at a pattern": {"normalizer": sequence(*[replace({"Regex": "."}, "xxxx")] * 9)},
    "nested": {"normalizer": nested(40)},
    "nested in python": {"normalizer": nested(400)},
    "many": {"normalizer": sequence(*[{"type": "Lowercase"}] * 1_000)},
    "long": {"normalizer": {"type": "Prepend", "prepend": "x" * 10**6}},
    "bytes of bytes": {"normalizer": sequence(*[{"type": "ByteLevel"}] * 30)},
    "expression": {"normalizer": replace({"Regex": "(a+)+$"}, "x")},
    "split": {
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "(a|a)*$"},
            "behavior": "Isolated",
            "invert": False,
        }
    },
    "table of gigabytes": {"normalizer": charsmap(b"\xff\xff\xff\xff" + bytes(8))},
    "table cut": {"normalizer": charsmap(b"\x08")},
    "table of long texts": {"normalizer": charsmap(b"\x04\0\0\0" + bytes(4) + b"x" * 10**5)},
    "no table": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"}},
    "long template": {"post_processor": template(10**5)},
    "template of nothing": {"post_processor": template(1, described=False)},
    "odd parts": {"normalizer": [1, 2], "post_processor": "x"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_explodes_is_refused_in_one_line(name: str, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({**BASE, **REFUSED[name]}))
    with pytest.raises(WeightsError) as caught:
        load_tokenizer(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'tokenizer.json'}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert capfd.readouterr().err == ""


def test_padding_to_gigabytes_is_left_out(tmp_path: Path) -> None:
    padding = {"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None,
               "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"}  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps({**BASE, "padding": padding}))
    assert len(load_tokenizer(tmp_path).encode("a a").ids) == 2


def test_ordinary_steps_are_read(tmp_path: Path) -> None:
    steps = sequence(
        {"type": "NFKC"}, replace({"Regex": " {2,}"}, " "), replace({"String": " "}, "▁"),
        replace({"String": "``"}, '"'), {"type": "Lowercase"}, {"type": "Prepend", "prepend": "▁"},
    )  # fmt: skip
    split = {"type": "Split", "pattern": {"Regex": PUBLISHED[2]}, "behavior": "Isolated",
             "invert": False}  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    before = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    content = {**BASE, "normalizer": steps, "pre_tokenizer": before}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert load_tokenizer(tmp_path).encode("a  a").ids


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    with pytest.raises(WeightsError, match="has more than"):
        load_tokenizer(tmp_path)
