"""Dataclasses as JSON values and back, checked field by field."""

from __future__ import annotations

from typing import Any, TypeVar

from ranklet.errors import RunError

T = TypeVar("T")


def to_values(value: object) -> dict[str, Any]:
    """Turn a dataclass, or a mapping of some, into JSON values that `from_values` reads back."""
    from pydantic import TypeAdapter

    values: dict[str, Any] = TypeAdapter(type(value)).dump_python(value, mode="json")
    return values


def from_values(kind: type[T], values: object, name: str, remedy: str) -> T:
    """Read JSON values as a dataclass, or as a container of some.

    Args:
        kind: What to read.
        values: As `to_values` gave them.
        name: Where the values stand, for a message.
        remedy: What makes them anew, for a message.

    Raises:
        RunError: A field is missing or holds something else.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        reason = str(first.get("ctx", {}).get("error", f"{place}: not as written"))
        raise RunError(f"{name}: {reason}; {remedy}") from error
