"""From a tree to a Space, or to every issue it has; the model of a recipe says what a field takes.

It is an argument, since a recipe checks its own section `tune` by this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ranklet.errors import RecipeError, RecipeIssue
from ranklet.recipe.allowed import allowed, field_types, number_of, section_of, takes_names
from ranklet.recipe.domains import Choices, Domain, Parameter, Range, Space
from ranklet.recipe.tree import Node, dotted, plain
from ranklet.recipe.wording import refusal, shown, unknown_key

T = TypeVar("T")

_FORMS = "a list of values, {log: [LOW, HIGH]}, {range: [LOW, HIGH]} or {values: [...]}"
_DOMAINS = ("log", "range", "values")

# Sections and fields that are the same in all trials, and why.
SAME_IN_ALL = {
    "data": "trials are compared on the same texts",
    "seed": "what luck does is measured afterwards, on fresh seeds",
    "budget": "every trial keeps it",
    "encoder": "trials share its frozen weights; search each encoder by itself",
    "automatic": "what is left open is chosen once, before the search",
    "tune": "it is the space itself",
    "engine.device": "it says where a trial runs, not what it learns",
    "training.keep_checkpoints": "it changes no result",
    "training.checkpoint_every": "trials pause at checkpoints that the search places",
    "training.evaluate_every": "trials pause behind validations, all at the same shares",
    "training.metric": "trials are compared by it",
    "training.max_steps": "how far a trial comes is for the search to say",
}


@dataclass(frozen=True)
class _Field:
    """A field that may be searched: its dotted name, what it takes, and what validates that."""

    name: str
    annotation: Any
    adapter: TypeAdapter[Any]

    def refuse(self, node: Node, message: str) -> RecipeError:
        return _error(node, self.name, message)

    def checked(self, node: Node) -> Any:
        """Return a value as a dump of the recipe would have it."""
        try:
            value = self.adapter.validate_python(plain(node))
        except ValidationError as error:
            own = [detail["msg"] for detail in error.errors() if detail["type"] == "repeat"]
            raise self.refuse(node, (own or [refusal(plain(node), self.annotation)])[0]) from None
        return self.adapter.dump_python(value, mode="json")


def read_space(tree: Node, recipe: type[BaseModel]) -> tuple[Space | None, list[RecipeIssue]]:
    """Read a mapping of dotted fields to domains; return the space, or None and every issue.

    Args:
        tree: What was written.
        recipe: The model of a recipe.
    """
    if not isinstance(tree.value, Mapping) or not tree.value:
        message = f"got {shown(plain(tree))}; a space is a mapping of fields to what they may be, "
        return None, [RecipeIssue(tree.where, "", f"{message}such as adapter.rank: [2, 4, 8]")]
    domains, issues = _each(tree.value, partial(_domain, recipe=recipe))
    conditional = {
        name: node.value["when"]
        for name, node in tree.value.items()
        if isinstance(node.value, Mapping) and "when" in node.value and name in domains
    }
    known = {name: domains.get(name) for name in tree.value}
    whens, unmet = _each(conditional, partial(_when, domains=known))
    issues += unmet
    graph = {name: whens.get(name, {}).keys() for name in tree.value}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = error.args[1]
        message = f"its condition leads back to itself: {' <- '.join(names)}; leave one out"
        issues.append(RecipeIssue(tree.value[names[0]].where, dotted((names[0],)), message))
    if issues:
        return None, issues
    return Space(tuple(Parameter(name, domains[name], whens.get(name, {})) for name in order)), []


def _each(
    nodes: Mapping[str, Node], read: Callable[[str, Node], T]
) -> tuple[dict[str, T], list[RecipeIssue]]:
    """Read the nodes that can be read, and collect what is wrong with the rest."""
    values: dict[str, T] = {}
    issues: list[RecipeIssue] = []
    for name, node in nodes.items():
        try:
            values[name] = read(name, node)
        except RecipeError as error:
            issues += error.issues
    return values, issues


def _error(node: Node, name: str, message: str) -> RecipeError:
    return RecipeError([RecipeIssue(node.where, dotted((name,)), message)])


def _domain(name: str, node: Node, recipe: type[BaseModel]) -> Domain:
    annotation = _searchable(name, node, recipe)
    strict = ConfigDict(strict=True, allow_inf_nan=False)
    field = _Field(name, annotation, TypeAdapter(annotation, config=strict))
    form, values = _form(field, node)
    return _choices(field, values) if form == "values" else _range(field, values, form == "log")


def _searchable(name: str, node: Node, recipe: type[BaseModel]) -> Any:
    """Return what a field takes that a search may change."""
    first, *rest = name.split(".")
    reason = SAME_IN_ALL.get(first) or SAME_IN_ALL.get(".".join([first, *rest[:1]]))
    if reason:
        raise _error(node, name, f"is the same in all trials: {reason}")
    annotation = field_types(recipe).get(first)
    if annotation is None:
        raise _error(node, name, unknown_key(recipe, first, (), in_full=True))
    section = section_of(annotation)
    if section:
        if not rest:
            example = f"{first}.{next(iter(section.model_fields))}"
            raise _error(node, name, f"a whole section; name fields of it, such as {example}")
        annotation = field_types(section).get(rest[0])
        if annotation is None:
            raise _error(node, name, unknown_key(recipe, rest[0], (first,), in_full=True))
        first, *rest = f"{first}.{rest[0]}", *rest[1:]
    if rest and takes_names(annotation):
        example = f"{first}: [{{{'.'.join(rest)}: 2}}, {{{'.'.join(rest)}: 8}}]"
        raise _error(node, name, f"a part of {first}; give choices of the whole, such as {example}")
    if rest:
        raise _error(node, name, f"{first} has nothing below it; write {first}")
    return annotation


def _form(field: _Field, node: Node) -> tuple[str, Node]:
    """Return which of the three kinds a domain is, and its values."""
    if isinstance(node.value, tuple):
        return "values", node
    if not isinstance(node.value, Mapping):
        raise field.refuse(node, f"got {shown(plain(node))}; allowed: {_FORMS}")
    for key, child in node.value.items():
        if key not in (*_DOMAINS, "when"):
            near = get_close_matches(key, (*_DOMAINS, "when"), n=1)
            hint = f"did you mean {near[0]}?" if near else f"allowed: {_FORMS}"
            raise _error(child, f"{field.name}.{key}", f"unknown key; {hint}")
    forms = [key for key in _DOMAINS if key in node.value]
    if len(forms) != 1:
        got = " and ".join(forms) or "none of them"
        raise field.refuse(node, f"needs log, range or values, just one; got {got}")
    return forms[0], node.value[forms[0]]


def _choices(field: _Field, node: Node) -> Choices:
    if not isinstance(node.value, tuple):
        raise field.refuse(node, f"got {shown(plain(node))}; allowed: a list of values")
    values = [field.checked(item) for item in node.value]
    if len(values) < 2:
        few = "one value is" if values else "no values are"
        raise field.refuse(node, f"{few} nothing to search; give two or more, or leave it out")
    texts: set[str] = set()
    for value, item in zip(values, node.value, strict=True):
        text = json.dumps(value, sort_keys=True)
        if text in texts:
            raise field.refuse(item, f"lists {shown(value)} twice; name each once")
        texts.add(text)
    return Choices(tuple(values))


def _range(field: _Field, node: Node, log: bool) -> Range:
    name = "log" if log else "range"
    number = number_of(field.annotation)
    if number is None:
        phrase = allowed(field.annotation)
        raise field.refuse(node, f"no number has a {name}; list some values, allowed: {phrase}")
    if not isinstance(node.value, tuple) or len(node.value) != 2:
        raise field.refuse(node, f"got {shown(plain(node))}; allowed: {name}: [LOW, HIGH]")
    for end in node.value:
        if isinstance(end.value, bool) or not isinstance(end.value, int | float):
            raise field.refuse(end, refusal(plain(end), field.annotation))
        if log and end.value <= 0:
            raise field.refuse(end, f"got {shown(end.value)}; log goes over numbers > 0")
    low, high = (field.checked(end) for end in node.value)
    if low >= high:
        raise field.refuse(node, f"got [{low}, {high}]; the first has to be below the second")
    return Range(low, high, log, number is int)


def _when(
    name: str, node: Node, domains: Mapping[str, Domain | None]
) -> Mapping[str, tuple[Any, ...]]:
    """Read a condition; a domain is None where something else is wrong with it."""
    if not isinstance(node.value, Mapping) or not node.value:
        message = f"got {shown(plain(node))}; allowed: a mapping of other fields to choices of them"
        raise _error(node, f"{name}.when", message)
    values, issues = _each(node.value, partial(_chosen, below=name, domains=domains))
    if issues:
        raise RecipeError(issues)
    return values


def _chosen(
    other: str, node: Node, below: str, domains: Mapping[str, Domain | None]
) -> tuple[Any, ...]:
    """Return the choices of another field that a condition names: one, or a list of some."""
    place = f"{below}.when.{other}"
    if other not in domains:
        near = get_close_matches(other, domains, n=1)
        hint = f"did you mean {near[0]}?" if near else "add it"
        raise _error(node, place, f"is not in this space; {hint}")
    domain = domains[other]
    if domain is None:
        return ()
    if isinstance(domain, Range):
        raise _error(node, place, "has a range; only a field with choices decides on others")
    given = plain(node)
    wanted = [given] if given in domain.values or not isinstance(given, list) else given
    strange = [value for value in wanted if value not in domain.values]
    if strange or not wanted:
        choices = ", ".join(map(shown, domain.values))
        got = shown(strange[0] if strange else given)
        raise _error(node, place, f"got {got}; allowed: its choices {choices}")
    return tuple(value for value in domain.values if value in wanted)
