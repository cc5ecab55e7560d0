"""From a tree to a Recipe, or to every issue it has: our words, the user's line numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ranklet.errors import RecipeIssue
from ranklet.recipe.contradictions import Contradiction
from ranklet.recipe.overrides import Keys, without
from ranklet.recipe.recipe import Recipe
from ranklet.recipe.space_tree import read_space
from ranklet.recipe.tree import KeyPath, Node, dotted, plain
from ranklet.recipe.wording import annotation_at, refusal, shown, unknown_key

_EXAMPLE = "such as data: {train: news.csv}"


def check_tree(tree: Node) -> tuple[Recipe | None, list[RecipeIssue]]:
    """Validate a tree; return the recipe, or None and every issue.

    Contradictions can only be looked for among fields that are fine on their own. So where some
    are not, they are left out for a second look, and what it says about them is not reported.
    """
    if not isinstance(tree.value, Mapping):
        message = f"got {shown(plain(tree))}; a recipe is a mapping of fields, {_EXAMPLE}"
        return None, [RecipeIssue(tree.where, "", message)]
    unsearchable = _space_issues(tree.value.get("tune"))
    recipe, issues = _check_fields(without(tree, ("tune",)) if unsearchable else tree)
    return (None if unsearchable else recipe), [*issues, *unsearchable]


def _space_issues(space: Node | None) -> list[RecipeIssue]:
    """Check the section that only a search reads, down to the line of every choice."""
    if space is None or space.value == {}:
        return []
    _, issues = read_space(space, Recipe)
    return [replace(issue, field=f"tune.{issue.field}".rstrip(".")) for issue in issues]


def _check_fields(tree: Node) -> tuple[Recipe | None, list[RecipeIssue]]:
    try:
        return Recipe.model_validate(plain(tree)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    if details[0]["type"] == "contradiction":
        return None, list(_contradiction_issues(tree, details, set()))
    paths = {_field_path(tree, detail) for detail in details}
    return None, [*_field_issues(tree, details), *_second_look(tree, paths)]


def _second_look(tree: Node, broken: Set[Keys]) -> list[RecipeIssue]:
    pruned = tree
    for path in broken:
        pruned = without(pruned, path)
    values = plain(pruned)
    assert isinstance(values, dict)
    if not values.get("data", {}).get("train"):
        values["data"] = {**values.get("data", {}), "train": "unknown"}
    try:
        Recipe.model_validate(values)
    except ValidationError as error:
        return list(_contradiction_issues(tree, error.errors(include_url=False), broken))
    return []


def _contradiction_issues(
    tree: Node, details: Sequence[ErrorDetails], broken: Set[Keys]
) -> Iterator[RecipeIssue]:
    for detail in details:
        pairs: Sequence[Contradiction] = detail["ctx"]["pairs"]
        for pair in pairs:
            if not any(_is_in(field, path) for field in pair.fields for path in broken):
                yield RecipeIssue(_place(tree, pair.fields), pair.fields[0], pair.message)


def _is_in(field: str, path: Keys) -> bool:
    return tuple(field.split("."))[: len(path)] == path


def _place(tree: Node, fields: Sequence[str]) -> str:
    """Return the place of the first field that is written out, for the others are defaults."""
    for field in fields:
        path = tuple(field.split("."))
        node, reached = _deepest(tree, path)
        if reached == path:
            return node.where
    return tree.where


def _deepest(tree: Node, loc: KeyPath) -> tuple[Node, KeyPath]:
    """Follow a pydantic location into the tree; its names of union branches match nothing."""
    reached: KeyPath = ()
    for step in loc:
        child = _child(tree, step)
        if child:
            tree, reached = child, (*reached, step)
    return tree, reached


def _child(tree: Node, step: str | int) -> Node | None:
    if isinstance(tree.value, Mapping) and isinstance(step, str):
        return tree.value.get(step)
    if isinstance(tree.value, tuple) and isinstance(step, int):
        return tree.value[step]
    return None


def _field_path(tree: Node, detail: ErrorDetails) -> Keys:
    """Return the path of the field that an error is about, at most `section.field`."""
    if detail["type"] == "missing":
        return tuple(str(step) for step in detail["loc"])
    return tuple(str(step) for step in _deepest(tree, detail["loc"])[1][:2])


def _field_issues(tree: Node, details: Sequence[ErrorDetails]) -> Iterator[RecipeIssue]:
    places = {_deepest(tree, detail["loc"])[1] for detail in details}
    done: set[KeyPath] = set()
    # Of the branches of a union, one that has words of its own speaks for all.
    for detail in sorted(details, key=lambda detail: detail["type"] != "repeat"):
        node, reached = _deepest(tree, detail["loc"])
        if detail["type"] == "missing":
            yield _missing(node, detail["loc"])
        elif reached not in done and not any(_is_above(reached, other) for other in places):
            done.add(reached)
            yield RecipeIssue(node.where, dotted(reached), _message(node, reached, detail))


def _is_above(path: KeyPath, other: KeyPath) -> bool:
    return len(path) < len(other) and other[: len(path)] == path


def _missing(node: Node, loc: KeyPath) -> RecipeIssue:
    field = "data.train"  # the only field, with its section, that has no default
    assert field.startswith(dotted(loc))
    return RecipeIssue(node.where, field, f"missing; say what to train on, {_EXAMPLE}")


def _message(node: Node, path: KeyPath, detail: ErrorDetails) -> str:
    if detail["type"] == "repeat":
        return detail["msg"]
    if detail["type"] == "extra_forbidden":
        return unknown_key(Recipe, str(path[-1]), tuple(str(step) for step in path[:-1]))
    if detail["loc"][-1] == "[key]":
        return f"got the name {shown(path[-1])}; allowed: text"
    return refusal(plain(node), annotation_at(Recipe, path))
