"""YAML 1.2 text as a tree; imported when text is read, for ruamel is slow to import.

Only what recipes need is read: one document of mappings, lists and plain values. Anchors' aliases,
tags, repeated keys and anything deep or huge are refused, so a hostile file costs nothing. This is
why ruamel's events are walked here: its loaders build everything first (3,000 brackets take 15
seconds and leave no line), stop at the first repeated key and read `1__0` as 10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe.tree import KeyPath, Node, dotted, one_line, scalar_of

MAX_DEPTH = 16
MAX_VALUES = 20_000


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

    def until(self, end: type[Event]) -> Iterator[Event]:
        while not isinstance(event := self.next(), end):
            yield event

    def refuse(self, path: KeyPath, message: str) -> RecipeError:
        return RecipeError([RecipeIssue(self.place(self.line), dotted(path), message)])


def _document(source: _Source) -> Node:
    source.next()  # the start of the stream
    if isinstance(source.next(), StreamEndEvent):
        return Node(None, source.place(1))
    root = _node(source, source.next(), ())
    source.next()  # the end of the document
    if isinstance(source.next(), DocumentStartEvent):
        raise source.refuse((), "a second YAML document; a recipe is one document, remove the rest")
    return root


def _node(source: _Source, event: Event, path: KeyPath) -> Node:
    _refuse_unneeded(source, event, path)
    where = source.place(source.line)
    if isinstance(event, ScalarEvent):
        text = _text(source, event, path)
        return Node(scalar_of(text) if event.implicit[0] else text, where)
    if isinstance(event, SequenceStartEvent):
        items = enumerate(source.until(SequenceEndEvent))
        return Node(tuple(_node(source, item, (*path, index)) for index, item in items), where)
    return Node(_pairs(source, path), where)


def _text(source: _Source, event: ScalarEvent, path: KeyPath) -> str:
    """Return a scalar's text; JSON writers escape one character as two surrogates."""
    try:
        return str(event.value).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise source.refuse(path, "half of a surrogate pair; write the character itself") from error


def _pairs(source: _Source, path: KeyPath) -> dict[str, Node]:
    pairs: dict[str, Node] = {}
    for event in source.until(MappingEndEvent):
        _refuse_unneeded(source, event, path)
        if not isinstance(event, ScalarEvent):
            raise source.refuse(path, "a list or mapping as a key; a key is a plain name")
        key, where = _text(source, event, path), source.place(source.line)
        node = replace(_node(source, source.next(), (*path, key)), where=where)
        if key in pairs:
            message = f"given twice, first at {pairs[key].where}; keep one"
            source.issues.append(RecipeIssue(where, dotted((*path, key)), message))
        else:
            pairs[key] = node
    return pairs


def _refuse_unneeded(source: _Source, event: Any, path: KeyPath) -> None:
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
    reason, line = str(error), source.line
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        reason = f"control character U+{ord(text[error.position]):04X}; remove it"
    elif isinstance(error, MarkedYAMLError):
        reason = str(error.problem or error.context)
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else line
    if "'\\t'" in reason:
        reason = "a tab; YAML is indented with spaces"
    message = f"not valid YAML: {one_line(' '.join(reason.split()), 120)}"
    return RecipeError([RecipeIssue(source.place(line), "", message)])
