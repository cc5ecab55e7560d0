r"""What a tokenizer.json may hold: nothing that hangs, explodes or ends the process.

It comes with a stranger's encoder, and `tokenizers` believes it: a few replacements, each of which
doubles a text, fill the memory; a damaged table ends the process; a regular expression may search
for hours. All that published tokenizers do stays allowed, such as `\s+(?!\S)`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

LARGEST_FILE = 1 << 26  # bytes; Gemma's, the largest we know, has half of them
DEEPEST = 16
MOST_STEPS = 64
LONGEST_TEXT = 1_000  # characters of a pattern, or of what is put in
MOST_GROWTH = 64.0  # characters for each that a text has
MOST_LOOPS = 3  # in one alternative; each multiplies the time by the length of the text
LARGEST_COUNT = 1_000
LONGEST_REPLACEMENT = 64  # bytes; the longest of Unicode's compatibility forms has 33
LONGEST_TEMPLATE = 16

# One unit of a pattern: an escape, a class, the beginning of a group, a quantifier, a character.
_UNIT = re.compile(
    r"\\(?:[pP]\{[^}]*\}|.)|\[(?:\\.|[^\\\]])+\]|\(\?(?:[:=!>]|<[=!]|i:|i\))|\((?![?*])|\)|\|"
    r"|(?:[*+?]|\{\d*,?\d*\})[?+]?|[^\\\[(){}*+?|]",
    re.DOTALL,
)


class UnsafeTokenizer(Exception):
    """Says in a few words what a tokenizer may not hold."""


def check_tokenizer(content: Mapping[str, Any]) -> None:
    """Refuse a tokenizer that may hang, fill the memory or end the process.

    Raises:
        UnsafeTokenizer: Says why.
    """
    steps = [*_steps(content.get("normalizer"), 0), *_steps(content.get("pre_tokenizer"), 0)]
    if len(steps) > MOST_STEPS:
        raise UnsafeTokenizer(f"{len(steps)} normalizers and pre_tokenizers; at most {MOST_STEPS}")
    growth = prod(map(_growth, steps))
    if growth > MOST_GROWTH:
        raise UnsafeTokenizer(
            f"its steps make a text up to {growth:.3g} times as long; at most {MOST_GROWTH:g}"
        )
    for step in _steps(content.get("post_processor"), 0):
        _check_template(step)


def _steps(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a part of a tokenizer, those of a sequence one by one."""
    if depth > DEEPEST:
        raise UnsafeTokenizer(f"sequences nested deeper than {DEEPEST}")
    if not isinstance(value, Mapping):
        return
    nested = [
        step
        for name in ("normalizers", "pretokenizers", "processors")
        if isinstance(value.get(name), list)
        for step in value[name]
    ]
    for step in nested:
        yield from _steps(step, depth + 1)
    if not nested:
        yield value


def _growth(step: Mapping[str, Any]) -> float:
    """Return how many times as long a step makes a text; check what it is made of."""
    kind, content = step.get("type"), step.get("content", "")
    pattern = step.get("pattern")
    searched = "x"
    if isinstance(pattern, Mapping):
        if isinstance(pattern.get("Regex"), str):
            check_regex(pattern["Regex"])
        if isinstance(pattern.get("String"), str):
            searched = pattern["String"] or "x"
    for text in (content, step.get("prepend"), step.get("replacement")):
        if isinstance(text, str) and len(text) > LONGEST_TEXT:
            raise UnsafeTokenizer(f"{kind} puts in {len(text):,} characters")
    if kind == "Precompiled":
        _check_charsmap(step.get("precompiled_charsmap"))
    if kind == "ByteLevel":  # a letter for each byte, and a character has up to 4
        return 4.0
    return max(1.0, len(content) / len(searched)) if kind == "Replace" else 1.0


def _check_charsmap(encoded: object) -> None:
    """Check SentencePiece's table: the size of its trie, the trie, replacements with NUL behind."""
    if not isinstance(encoded, str):
        return  # null: tokenizers says so itself
    try:
        table = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnsafeTokenizer("its precompiled_charsmap is damaged") from error
    size = int.from_bytes(table[:4], "little")
    if len(table) < 8 or size % 4 or not 0 < size <= len(table) - 4:
        raise UnsafeTokenizer("its precompiled_charsmap is damaged")
    longest = max(map(len, table[4 + size :].split(b"\0")))
    if longest > LONGEST_REPLACEMENT:
        raise UnsafeTokenizer(f"its precompiled_charsmap replaces a character by {longest} bytes")


def _check_template(step: Mapping[str, Any]) -> None:
    special = step.get("special_tokens")
    names = special if isinstance(special, Mapping) else {}
    for token in names.values():
        ids = token.get("ids") if isinstance(token, Mapping) else None
        if isinstance(ids, list) and len(ids) > LONGEST_TEMPLATE:
            raise UnsafeTokenizer(f"a special token of {len(ids):,} ids")
    for part in ("single", "pair"):
        pieces = step.get(part)
        if not isinstance(pieces, list):
            continue
        if len(pieces) > LONGEST_TEMPLATE:
            raise UnsafeTokenizer(f"its template has {len(pieces):,} parts")
        for piece in pieces:
            token = piece.get("SpecialToken") if isinstance(piece, Mapping) else None
            if isinstance(token, Mapping) and token.get("id") not in names:
                raise UnsafeTokenizer("its template names a token that it does not describe")


@dataclass
class _Group:
    """What was read of a group: whether it takes texts of several lengths, or in several ways."""

    varies: bool = False


def check_regex(pattern: str) -> None:
    """Refuse a regular expression that may search for longer than a few seconds.

    A repeated group may hold only what takes one text in one way, since otherwise the ways
    multiply; loops beside each other are few; nothing refers to itself or to what was found.

    Raises:
        UnsafeTokenizer: Says why.
    """
    if len(pattern) > LONGEST_TEXT:
        raise UnsafeTokenizer(f"an expression of {len(pattern):,} characters")
    groups, closed, loops, before = [_Group()], _Group(), 0, ""
    for unit in _units(pattern):
        if unit[0] == "(" and unit != "(?i)":
            groups.append(_Group())
        elif unit == ")":
            closed = groups.pop()
            if not groups:
                raise UnsafeTokenizer("an expression whose brackets do not match")
            groups[-1].varies |= closed.varies
        elif unit == "|":
            loops = loops if len(groups) > 1 else 0
            groups[-1].varies = True
        elif unit[0] in "*+?{":
            repeats, endless = _repeats(unit)
            if before == ")" and repeats and closed.varies:
                raise UnsafeTokenizer("an expression that repeats what takes text in several ways")
            loops += endless
            groups[-1].varies |= not re.fullmatch(r"\{\d+\}", unit)
        if loops > MOST_LOOPS or len(groups) > DEEPEST:
            raise UnsafeTokenizer(
                f"an expression of more than {MOST_LOOPS} loops or {DEEPEST} deep"
            )
        before = unit


def _units(pattern: str) -> Iterator[str]:
    place = 0
    while place < len(pattern):
        unit = _UNIT.match(pattern, place)
        if unit is None or re.match(r"\\[1-9gkKRXyYO]", unit[0]):
            raise UnsafeTokenizer(f"an expression with {pattern[place : place + 4]!r}")
        place = unit.end()
        yield unit[0]


def _repeats(quantifier: str) -> tuple[bool, bool]:
    """Tell whether a quantifier takes what it stands behind twice, and whether without an end."""
    if quantifier[0] != "{":
        return quantifier[0] != "?", quantifier[0] != "?"
    counts = [int(count) for count in re.findall(r"\d{1,9}", quantifier)]
    if not counts or max(counts) > LARGEST_COUNT:
        raise UnsafeTokenizer(f"an expression with {quantifier!r}")
    endless = re.match(r"\{\d+,\}", quantifier) is not None
    return endless or max(counts) > 1, endless
