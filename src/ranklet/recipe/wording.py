"""The words of an issue: a value as it was written, what is allowed, the key that was meant."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from pydantic import BaseModel

from ranklet.recipe.allowed import allowed, field_types, section_of
from ranklet.recipe.tree import one_line, scalar_of


def shown(value: object) -> str:
    """Write a value as YAML would, in at most 60 characters."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return one_line(json.dumps(value, ensure_ascii=False, default=str))


def refusal(value: object, annotation: object) -> str:
    """Say what was given, what the field takes, and whether quotes are the matter."""
    phrase = allowed(annotation)
    return f"got {shown(value)}; allowed: {phrase}{_quotes_hint(value, phrase)}"


def _quotes_hint(value: object, phrase: str) -> str:
    if isinstance(value, str) and isinstance(scalar_of(value), int | float):
        return "; remove the quotes" if "number" in phrase or "true" in phrase else ""
    is_text_wanted = "text" in phrase and "number" not in phrase
    return "; quote it" if is_text_wanted and isinstance(value, int | float) else ""


def annotation_at(recipe: type[BaseModel], path: Sequence[str | int]) -> object:
    """Return what the field at a path, or the section above it, is annotated with."""
    annotation: object = recipe
    for step in path:
        section = section_of(annotation)
        if section is None:
            break
        annotation = field_types(section)[str(step)]
    return annotation


def unknown_key(
    recipe: type[BaseModel], key: str, section: tuple[str, ...], in_full: bool = False
) -> str:
    """Say which key was probably meant, or which ones there are.

    Args:
        recipe: The model of a recipe.
        key: That no field is called.
        section: Where it stands.
        in_full: Name a key of the same section with the section too.
    """
    owner = section_of(annotation_at(recipe, section))
    assert owner is not None
    keys = tuple(owner.model_fields)
    beside = section if in_full else ()
    meant = (
        _elsewhere(recipe, key, section, cutoff=1.0)
        or [".".join((*beside, near)) for near in get_close_matches(key, keys, n=1)]
        or _elsewhere(recipe, key, section, cutoff=0.6)
    )
    if meant:
        return f"unknown key; did you mean {meant[0]}?"
    return f"unknown key; allowed: {', '.join(keys)}"


def _elsewhere(
    recipe: type[BaseModel], key: str, section: tuple[str, ...], cutoff: float
) -> list[str]:
    """Return the full names of fields of another section with a name this near (1.0: equal)."""
    sections = list(_sections(recipe))
    places = {
        name: [".".join((*path, name)) for path, model in sections if name in model.model_fields]
        for path, model in sections
        if path != section
        for name in model.model_fields
    }
    near = get_close_matches(key, places, n=1, cutoff=cutoff)
    return [place for name in near for place in places[name]]


def _sections(recipe: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield (), recipe
    for name, annotation in field_types(recipe).items():
        section = section_of(annotation)
        if section:
            yield (name,), section
