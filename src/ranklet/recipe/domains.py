"""What a search may change: fields of a recipe, what each may be, and when it is read at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Range:
    """All numbers from one to another, both included.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Every order of magnitude is as likely as another, not every number.
        integer: Whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __contains__(self, value: object) -> bool:
        kinds = int if self.integer else int | float
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high  # type: ignore[operator]


@dataclass(frozen=True)
class Choices:
    """Some values, which no order relates.

    Attributes:
        values: Two or more, as JSON has them: a list of modules is a list.
    """

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


Domain: TypeAlias = Range | Choices


@dataclass(frozen=True)
class Parameter:
    """One field that a search may change.

    Attributes:
        field: Dotted name, such as `training.learning_rate`.
        domain: What it may be.
        when: Other fields of the space, and the choices of each at which this one is changed;
            elsewhere it stays as the recipe has it.
    """

    field: str
    domain: Domain
    when: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)

    def is_active(self, point: Mapping[str, Any]) -> bool:
        """Return whether it is changed, by the values of the fields that decide."""
        return all(name in point and point[name] in values for name, values in self.when.items())


@dataclass(frozen=True)
class Space:
    """All that a search may change.

    Attributes:
        parameters: Each field once, behind those that its `when` names.
    """

    parameters: tuple[Parameter, ...]


def space_values(space: Space) -> dict[str, Any]:
    """Return a space as a recipe's section `tune` holds it."""
    return {parameter.field: _written(parameter) for parameter in space.parameters}


def _written(parameter: Parameter) -> Any:
    domain = parameter.domain
    if isinstance(domain, Choices) and not parameter.when:
        return list(domain.values)
    written: dict[str, Any]
    if isinstance(domain, Choices):
        written = {"values": list(domain.values)}
    else:
        written = {"log" if domain.log else "range": [domain.low, domain.high]}
    if parameter.when:
        written["when"] = {
            name: values[0] if len(values) == 1 else list(values)
            for name, values in parameter.when.items()
        }
    return written
