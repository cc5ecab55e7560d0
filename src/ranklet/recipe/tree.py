"""A tree of values in which every value knows the place it was written at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

KeyPath: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = bool | int | float | str | None

# The core schema of YAML 1.2, and `_` between the digits of a whole number (1_000_000). Whole
# numbers end at 40 digits: Python itself refuses to read endless ones.
_INTEGER = re.compile(r"[-+]?[0-9](_?[0-9]){0,39}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NAMED: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True)
class Node:
    """One value and its place.

    Attributes:
        value: A scalar, a tuple of nodes, or a mapping of keys to nodes.
        where: `file.yaml:7` (the line of its key), or the override it came from.
    """

    value: Mapping[str, Node] | tuple[Node, ...] | Scalar
    where: str


def plain(node: Node) -> object:
    """Return a tree's values without their places."""
    if isinstance(node.value, Mapping):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(child) for child in node.value]
    return node.value


def node_of(value: object, where: str) -> Node:
    """Return values as a tree, all from one place; `plain` gives them back."""
    if isinstance(value, Mapping):
        return Node({str(key): node_of(child, where) for key, child in value.items()}, where)
    if isinstance(value, list | tuple):
        return Node(tuple(node_of(child, where) for child in value), where)
    return Node(cast(Scalar, value), where)  # whatever else it is, validation refuses


def one_line(text: str, limit: int = 60) -> str:
    """Return text with unprintable characters replaced by `?`, cut to a number of characters."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def dotted(path: Iterable[str | int]) -> str:
    """Name a field by its keys; the position inside a list is left to the message."""
    return one_line(".".join(step for step in path if isinstance(step, str)), limit=120)


def scalar_of(text: str) -> Scalar:
    """Read an unquoted YAML 1.2 scalar; what is nothing else is text."""
    if text in _NAMED:
        return _NAMED[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    return float(text) if _FLOAT.fullmatch(text) else text
