"""Points of a space: what Optuna suggests, what a recipe has, and a recipe with one put in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ranklet.errors import RecipeError
from ranklet.recipe import Recipe
from ranklet.recipe.issues import check_tree
from ranklet.recipe.overrides import Override, apply_overrides
from ranklet.recipe.space import Choices, Domain, Parameter, Space
from ranklet.recipe.tree import node_of
from ranklet.search.trial import Point

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution


def suggest(space: Space, trial: Trial) -> dict[str, Any]:
    """Return a point that Optuna's sampler chooses, without the fields that are not active there.

    Args:
        space: What may be chosen.
        trial: That Optuna was asked for.
    """
    point: dict[str, Any] = {}
    for parameter in space.parameters:
        if parameter.is_active(point):
            point[parameter.field] = _suggested(parameter.field, parameter.domain, trial)
    return point


def _suggested(field: str, domain: Domain, trial: Trial) -> Any:
    if isinstance(domain, Choices):
        return json.loads(trial.suggest_categorical(field, _texts(domain)))
    if domain.integer:
        return trial.suggest_int(field, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(field, domain.low, domain.high, log=domain.log)


def distributions(space: Space, point: Point) -> dict[str, tuple[Any, BaseDistribution]]:
    """Return a point as Optuna knows it: field -> (value, distribution).

    A point outside the space gives none: known in parts, it would keep Optuna for good from
    looking at the fields of the space together.
    """
    if not is_in(space, point):
        return {}
    return {
        parameter.field: _described(parameter.domain, point[parameter.field])
        for parameter in _active(space, point)
    }


def _described(domain: Domain, value: Any) -> tuple[Any, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choices):
        # The text of the choice, since 1 from a record is 1.0 in the space.
        text = _texts(domain)[domain.values.index(value)]
        return text, CategoricalDistribution(_texts(domain))
    if domain.integer:
        return value, IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return value, FloatDistribution(domain.low, domain.high, log=domain.log)


def _texts(domain: Choices) -> list[str]:
    """Return choices as Optuna takes them, which stores neither lists nor mappings."""
    return [json.dumps(value, sort_keys=True) for value in domain.values]


def point_of(recipe: Recipe, space: Space) -> dict[str, Any]:
    """Return what a recipe has at every active field, but those that another field replaces."""
    values = recipe.model_dump(mode="json")
    point: dict[str, Any] = {}
    for parameter in space.parameters:
        section, _, name = parameter.field.rpartition(".")
        fields = values[section] if section else values
        if name in fields and parameter.is_active(point):
            point[parameter.field] = fields[name]
    return point


def is_in(space: Space, point: Point) -> bool:
    """Return whether a point has a value of its domain at every active field, and no others."""
    active = {parameter.field: parameter.domain for parameter in _active(space, point)}
    return active.keys() == point.keys() and all(
        point[field] in domain for field, domain in active.items()
    )


def _active(space: Space, point: Point) -> Iterator[Parameter]:
    return (parameter for parameter in space.parameters if parameter.is_active(point))


def with_point(recipe: Recipe, point: Point) -> Recipe:
    """Return a recipe with the values of a point put in, as overrides are.

    Raises:
        RecipeError: The values contradict each other or the recipe.
    """
    overrides = [Override(tuple(name.split(".")), node_of(v, "")) for name, v in point.items()]
    tree = apply_overrides(node_of(recipe.model_dump(mode="json"), ""), overrides)
    changed, issues = check_tree(tree)
    if changed is None:
        raise RecipeError(issues)
    return changed
