"""YAML 1.2 text as a tree whose every value knows the place it was written at.

Only what recipes need is read: one document of mappings, lists and plain values. Anchors' aliases,
tags, repeated keys and anything deep or huge are refused, so a hostile file costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ranklet.errors import RecipeError, RecipeIssue

if TYPE_CHECKING:
    from ruamel.yaml.events import Event, ScalarEvent

MAX_DEPTH = 16
MAX_VALUES = 20_000

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


def one_line(text: str, limit: int = 60) -> str:
    """Return text with unprintable characters replaced by `?`, cut to a number of characters."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


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


def parse_tree(text: str, place: Callable[[int], str]) -> tuple[Node, list[RecipeIssue]]:
    """Read YAML text as a tree; an empty text is null.

    Args:
        text: One YAML document.
        place: Name of a place, given its line counted from 1.

    Returns:
        The tree, and an issue for every repeated key.

    Raises:
        RecipeError: Text that is not YAML, or uses a part of YAML that recipes do without.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    source = _Source(YAML(typ="safe", pure=True).parse(text), place)
    try:
        return _document(source), source.issues
    except RecipeError:
        raise
    except (YAMLError, ValueError, OverflowError) as error:
        raise _syntax_error(error, text, source) from error


@dataclass
class _Source:
    events: Iterator[Event]
    place: Callable[[int], str]
    issues: list[RecipeIssue] = field(default_factory=list)
    line: int = 1
    values: int = 0

    def next(self) -> Event:
        event = next(self.events)
        self.line = event.start_mark.line + 1
        return event

    def refuse(self, path: KeyPath, problem: str) -> RecipeError:
        return RecipeError([RecipeIssue(self.place(self.line), dotted(path), problem)])


def _document(source: _Source) -> Node:
    from ruamel.yaml.events import DocumentStartEvent, StreamEndEvent

    source.next()  # the start of the stream
    if isinstance(source.next(), StreamEndEvent):
        return Node(None, source.place(1))
    root = _node(source, source.next(), ())
    source.next()  # the end of the document
    if isinstance(source.next(), DocumentStartEvent):
        raise source.refuse((), "a second YAML document; a recipe is one document, remove the rest")
    return root


def _node(source: _Source, event: Event, path: KeyPath) -> Node:
    from ruamel.yaml.events import ScalarEvent, SequenceStartEvent

    _refuse_unneeded(source, event, path)
    where = source.place(source.line)
    if isinstance(event, ScalarEvent):
        text = _text(source, event, path)
        return Node(scalar_of(text) if event.implicit[0] else text, where)
    if isinstance(event, SequenceStartEvent):
        return Node(tuple(_items(source, path)), where)
    return Node(_pairs(source, path), where)


def _text(source: _Source, event: ScalarEvent, path: KeyPath) -> str:
    """Return a scalar's text; JSON writers escape one character as two surrogates."""
    try:
        return str(event.value).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        problem = "half of a surrogate pair; write the character itself"
        raise source.refuse(path, problem) from error


def _items(source: _Source, path: KeyPath) -> Iterator[Node]:
    from ruamel.yaml.events import SequenceEndEvent

    index = 0
    while not isinstance(event := source.next(), SequenceEndEvent):
        yield _node(source, event, (*path, index))
        index += 1


def _pairs(source: _Source, path: KeyPath) -> dict[str, Node]:
    from ruamel.yaml.events import MappingEndEvent

    pairs: dict[str, Node] = {}
    while not isinstance(event := source.next(), MappingEndEvent):
        key, where = _key(source, event, path), source.place(source.line)
        node = replace(_node(source, source.next(), (*path, key)), where=where)
        if key in pairs:
            problem = f"given twice, first at {pairs[key].where}; keep one"
            source.issues.append(RecipeIssue(where, dotted((*path, key)), problem))
        else:
            pairs[key] = node
    return pairs


def _key(source: _Source, event: Event, path: KeyPath) -> str:
    from ruamel.yaml.events import ScalarEvent

    _refuse_unneeded(source, event, path)
    if not isinstance(event, ScalarEvent):
        raise source.refuse(path, "a list or mapping as a key; a key is a plain name")
    return _text(source, event, path)


def _refuse_unneeded(source: _Source, event: Any, path: KeyPath) -> None:
    from ruamel.yaml.events import AliasEvent

    source.values += 1
    if isinstance(event, AliasEvent):
        raise source.refuse(
            path, f"alias *{one_line(event.anchor)}; recipes have none, write the value out"
        )
    if event.tag is not None:
        raise source.refuse(path, f"tag {one_line(str(event.tag))}; recipes have none, remove it")
    if len(path) > MAX_DEPTH:
        raise source.refuse(path[:2], f"nested more than {MAX_DEPTH} deep; a recipe needs 3 levels")
    if source.values > MAX_VALUES:
        raise source.refuse((), f"more than {MAX_VALUES} values; this is not a recipe")


def _syntax_error(error: Exception, text: str, source: _Source) -> RecipeError:
    """Say in one line where and why text is not YAML."""
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    problem, line = str(error), source.line
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        problem = f"control character U+{ord(text[error.position]):04X}; remove it"
    elif isinstance(error, MarkedYAMLError):
        problem = str(error.problem or error.context)
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else line
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    where = source.place(line)
    return RecipeError(
        [RecipeIssue(where, "", f"not valid YAML: {one_line(' '.join(problem.split()), 120)}")]
    )
