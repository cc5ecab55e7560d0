"""What a single value of a recipe may be: whole numbers, shares, names, lists of distinct items."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")

STRICT = ConfigDict(
    strict=True,
    defer_build=True,  # `--help` imports the models and validates nothing
    frozen=True,
    extra="forbid",
    allow_inf_nan=False,
    validate_default=True,
    use_attribute_docstrings=True,
)


def _list_to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _refuse_repeats(items: tuple[Item, ...]) -> tuple[Item, ...]:
    seen: set[Item] = set()
    for item in items:
        if item in seen:
            message = f"lists {item!r} twice; name each once"
            raise PydanticCustomError("repeat", "{message}", {"message": message})
        seen.add(item)
    return items


def _upwards(layers: str) -> str:
    first, _, last = layers.partition("-")
    if last and int(last) < int(first):
        message = f"{layers!r} ends before it begins; write {last}-{first}"
        raise PydanticCustomError("repeat", "{message}", {"message": message})
    return layers


def _mark_of_word(value: object) -> object:
    return MARKS.get(value, value) if isinstance(value, str) else value


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        message = f"no encoding is called {name!r}; name one, such as utf-8, cp1252 or gb18030"
        raise PydanticCustomError("repeat", "{message}", {"message": message}) from error
    return name


def without_minus_zero(number: float) -> float:
    """Return a number, 0.0 for -0.0."""
    # Equal recipes must have equal hashes, and -0.0 == 0.0 although they print differently.
    return number + 0.0


# At least one visible character, no control characters (a NUL would end a path early).
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$")]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1), AfterValidator(without_minus_zero)]
MARKS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
Separator = Annotated[
    str,
    BeforeValidator(_mark_of_word),
    Field(pattern=r"^[^\w\s\"'\x00]$|^\t$", title="comma, semicolon, tab, bar or one character"),
]
Encoding = Annotated[Text, AfterValidator(_known_encoding)]
# Layers from one to another, both included: `0-5`; `8-` goes to the last.
LayerRange = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,9}-[0-9]{0,9}$", title="range such as 0-5"),
    AfterValidator(_upwards),
]
Distinct = Annotated[
    tuple[Item, ...], BeforeValidator(_list_to_tuple), AfterValidator(_refuse_repeats)
]
