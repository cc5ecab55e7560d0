"""The space of a search: read from a mapping or a file, or built in for people who name none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ranklet.errors import RecipeError
from ranklet.recipe.domains import Choices, Domain, Parameter, Range, Space, space_values
from ranklet.recipe.recipe import Recipe
from ranklet.recipe.space_tree import read_space
from ranklet.recipe.tree import node_of, one_line
from ranklet.recipe.yaml_file import line_of, read_text

__all__ = [
    "Choices",
    "Domain",
    "Parameter",
    "Range",
    "Space",
    "default_space",
    "load_space",
    "parse_space",
    "space_values",
]

# Parameters of a rank of 1 on query and value of MiniLM, the smallest known encoder. A rank that
# another encoder or other targets make too large is lowered when its turn comes.
_FEWEST_PER_RANK = 9_216
_RANKS = (1, 2, 4, 8, 16, 32, 64)


def parse_space(values: Mapping[str, Any], name: str = "space") -> Space:
    """Read a space from a mapping of dotted fields to domains, which issues call `name`.

    Raises:
        RecipeError: With an issue for everything that is wrong.
    """
    space, issues = read_space(node_of(values, name), Recipe)
    if space is None:
        raise RecipeError(issues)
    return space


def load_space(path: str | Path) -> Space:
    """Read a space from a YAML file: what a recipe's section `tune` holds.

    Raises:
        RecipeError: With an issue for everything that is wrong.
    """
    from ranklet.recipe.yaml_tree import parse_tree

    name = one_line(str(path), 200)
    text = read_text(Path(path), "space")
    tree, repeated = parse_tree(text, lambda line: f"{name}:{line}")
    space, issues = read_space(tree, Recipe)
    if space is None or repeated:
        issues = sorted([*repeated, *issues], key=lambda issue: line_of(issue, name))
        raise RecipeError(issues)
    return space


def default_space(recipe: Recipe) -> Space:
    """Return what is searched where nobody says: what the recipe has lies within it.

    Fields that the recipe leaves unread, or whose change it would contradict, are left out.
    """
    domains = {
        **_training_domains(recipe),
        **_adapter_domains(recipe),
        "head_dropout": _range_with(recipe.head_dropout, 0.0, 0.3),
    }
    return Space(tuple(Parameter(field, domain) for field, domain in domains.items()))


def _training_domains(recipe: Recipe) -> dict[str, Domain]:
    training = recipe.training
    rate = training.learning_rate
    domains: dict[str, Domain] = {
        "training.learning_rate": _range_with(rate, 1e-4, 3e-3, log=True),
        "training.weight_decay": _range_with(training.weight_decay, 0.0, 0.1),
    }
    if training.optimizer not in ("adamw", "adam"):
        # Its rates are of another size, which nobody but the recipe knows.
        domains["training.learning_rate"] = Range(rate / 10, min(1.0, rate * 10), log=True)
    fewest = _fewest_epochs(recipe)
    if fewest < 2 * training.epochs:
        domains["training.epochs"] = Range(fewest, min(2 * training.epochs, 10_000), integer=True)
    if training.batch_tokens is None:
        domains["training.batch_size"] = _choices_with(training.batch_size, (8, 16, 32, 64))
    return domains


def _fewest_epochs(recipe: Recipe) -> int:
    """Return the epochs below which the recipe contradicts itself."""
    training = recipe.training
    if training.evaluate_every is not None:
        return 1
    return max((training.early_stopping_patience or 0) + 1, min(training.soup or 1, 2))


def _adapter_domains(recipe: Recipe) -> dict[str, Domain]:
    adapter = recipe.adapter
    domains: dict[str, Domain] = {
        "adapter.alpha": _range_with(adapter.alpha, 4.0, 128.0, log=True),
        "adapter.dropout": _range_with(adapter.dropout, 0.0, 0.3),
    }
    if adapter.rank_pattern or adapter.alpha_pattern or adapter.exclude_modules:
        return domains  # they name modules among the targets, and make ranks a matter of each
    if adapter.fit is None:
        most = recipe.budget // _FEWEST_PER_RANK
        ranks = [rank for rank in _RANKS if rank <= max(2, most)]
        domains["adapter.rank"] = _choices_with(adapter.rank, ranks)
    if not isinstance(adapter.target_modules, str):
        # The other way round nothing is known: names of modules differ between encoders.
        own = list(adapter.target_modules)
        domains["adapter.target_modules"] = Choices((own, "all-linear"))
    return domains


def _range_with(own: float, low: float, high: float, log: bool = False) -> Range:
    return Range(min(own, low), max(own, high), log)


def _choices_with(own: int, values: Sequence[int]) -> Choices:
    return Choices(tuple(sorted({own, *values})))
