"""Overrides `--set a.b=c`: read by the recipe's YAML parser, put into its tree before validation.

The last override of a field wins. A mapping as a value replaces the whole mapping of the file. An
override of one of two fields that exclude each other also takes the other one out of the file;
two overrides that exclude each other are refused like two lines of a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe.allowed import allowed, field_types, section_of, takes_names
from ranklet.recipe.recipe import Recipe
from ranklet.recipe.sections.adapter import CHOSEN_BY_FIT
from ranklet.recipe.sections.training import REPLACES
from ranklet.recipe.tree import Node, dotted, one_line

Keys: TypeAlias = tuple[str, ...]

_REPLACED_BY_OVERRIDE: dict[Keys, tuple[Keys, ...]] = {
    ("training", field): (("training", other),)
    for pair in REPLACES.items()
    for field, other in (pair, pair[::-1])
} | {("adapter", "fit"): tuple(("adapter", field) for field in CHOSEN_BY_FIT)}


@dataclass(frozen=True)
class Override:
    """A value and the path of keys where it goes."""

    path: Keys
    node: Node


def parse_overrides(texts: Sequence[str]) -> tuple[list[Override], list[RecipeIssue]]:
    """Read overrides written `a.b=c`; return those that can be read and an issue for the rest."""
    overrides: list[Override] = []
    issues: list[RecipeIssue] = []
    for text in texts:
        try:
            overrides.append(_parse(text))
        except RecipeError as error:
            issues += error.issues
    return overrides, issues


def apply_overrides(tree: Node, overrides: Sequence[Override]) -> Node:
    """Return the tree with overrides put in, in their order."""
    for override in overrides:
        for other in _REPLACED_BY_OVERRIDE.get(override.path, ()):
            if override.node.value is not None:
                tree = without(tree, other)
    for override in overrides:
        tree = _assign(tree, override.path, override.node)
    return tree


def without(tree: Node, path: Keys) -> Node:
    """Return the tree without the value at a path; unchanged where there is none."""
    if not isinstance(tree.value, Mapping) or path[0] not in tree.value:
        return tree
    pairs = dict(tree.value)
    child = pairs.pop(path[0])
    if len(path) > 1:
        pairs[path[0]] = without(child, path[1:])
    return Node(dict(pairs), tree.where)


def _assign(tree: Node, path: Keys, new: Node) -> Node:
    if not path:
        return new
    if not isinstance(tree.value, Mapping):
        return tree  # a wrong value in the file: validation reports it where it stands
    child = tree.value.get(path[0], Node({}, new.where))
    return Node({**tree.value, path[0]: _assign(child, path[1:], new)}, tree.where)


def _parse(text: str) -> Override:
    where = f"--set {one_line(text, 80)}"
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")[:2]):
        message = "not an override; write a field, = and a value, such as training.epochs=5"
        raise RecipeError([RecipeIssue(where, "", message)])
    return Override(_path(key, where), _value(value, key, where))


def _value(text: str, key: str, where: str) -> Node:
    from ranklet.recipe.yaml_tree import parse_tree

    try:
        node, issues = parse_tree(text, lambda _: where)
    except RecipeError as error:
        node, issues = Node(None, where), list(error.issues)
    if issues:
        below = [tuple(part for part in (key, issue.field) if part) for issue in issues]
        raise RecipeError(
            [replace(issue, field=dotted(path)) for issue, path in zip(issues, below, strict=True)]
        )
    return node


def _path(key: str, where: str) -> Keys:
    """Split a dotted field; names below a mapping such as `rank_pattern` keep their dots."""
    first, *rest = key.split(".")
    annotation = field_types(Recipe).get(first)
    section = section_of(annotation)
    if rest and takes_names(annotation):
        return (first, ".".join(rest))
    if section and rest:
        annotation = field_types(section).get(rest[0])
        if annotation is not None and len(rest) > 1 and takes_names(annotation):
            return (first, rest[0], ".".join(rest[1:]))
    depth = 2 if section else 1
    if annotation is not None and len(rest) >= depth:
        field = ".".join([first, *rest][:depth])
        message = f"{field} has nothing below it; write {field}=VALUE, allowed: "
        raise RecipeError([RecipeIssue(where, dotted((key,)), message + allowed(annotation))])
    return (first, *rest)
