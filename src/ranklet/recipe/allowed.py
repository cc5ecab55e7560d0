"""What a field takes, in words; the same in error messages and in docs/reference/recipe.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SCALARS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}
_SIGNS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}


@cache
def field_types(model: type[BaseModel]) -> dict[str, Any]:
    """Return the annotation of each field of a model, constraints included."""
    hints = get_type_hints(model, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


def section_of(annotation: object) -> type[BaseModel] | None:
    """Return the section that a field holds, or None for a field with a value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def takes_names(annotation: object) -> bool:
    """Return whether a field maps names of the user's choice, such as `adapter.rank_pattern`."""
    if get_origin(annotation) is Annotated:
        return takes_names(get_args(annotation)[0])
    return get_origin(annotation) is dict


def number_of(annotation: object) -> type | None:
    """Return int or float where a field takes such numbers, or null, and nothing else."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return number_of(args[0])
    if origin in (Union, UnionType):
        kinds = {number_of(option) for option in args if option is not NoneType}
        return kinds.pop() if len(kinds) == 1 else None
    return annotation if annotation in (int, float) else None


def allowed(annotation: object) -> str:
    """Say which values an annotation takes, such as `whole number >= 1, or null`."""
    origin, args = get_origin(annotation), get_args(annotation)
    section = section_of(annotation)
    if section:
        return f"keys under it: {', '.join(section.model_fields)}"
    if origin is Annotated:
        title = "".join(item.title or "" for item in args[1:] if isinstance(item, FieldInfo))
        return _constrained(title or allowed(args[0]), tuple(_constraints(args[1:])))
    if origin in (Union, UnionType):
        return ", or ".join(allowed(option) for option in args)
    if origin is Literal:
        return args[0] if len(args) == 1 else f"one of {', '.join(args)}"
    if origin is tuple:
        return f"list of: {allowed(args[0]).replace(', or ', ' or ')}"
    if origin is dict:
        return f"mapping of names to: {allowed(args[1])}"
    assert isinstance(annotation, type)
    return _SCALARS[annotation]


def _constraints(metadata: Sequence[object]) -> Iterator[object]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _constrained(phrase: str, constraints: Sequence[object]) -> str:
    least = [constraint.min_length for constraint in constraints if isinstance(constraint, MinLen)]
    if least:
        return phrase.replace("list of", f"list of {least[0]} or more", 1)
    bounds = [
        f"{sign} {getattr(constraint, name)}"
        for constraint in constraints
        for kind, (sign, name) in _SIGNS.items()
        if isinstance(constraint, kind)
    ]
    return " ".join([phrase, " and ".join(bounds)]) if bounds else phrase
