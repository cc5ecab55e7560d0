"""The rules of `workflows/`: verbs lie at the top, their parts are theirs, recipes end early."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main
from source_code import import_graph, modules, recipe_fields_read

import ranklet
from ranklet.cli.main import app
from ranklet.recipe import Recipe

PACKAGE = Path(ranklet.__file__).parent
MODULES = modules(PACKAGE)
IMPORTS = import_graph(MODULES)
WORKFLOWS = "ranklet.workflows"
VERBS = {path.stem for path in (PACKAGE / "workflows").glob("[a-z]*.py")}
# The verb whose part a private file is; a private folder `_VERB` says it itself.
VERB_OF = {"_learn_shifts": "estimate"}


def test_the_public_contract_is_sorted_and_complete() -> None:
    assert ranklet.__all__ == sorted(ranklet.__all__)
    for name in ranklet.__all__:
        assert getattr(ranklet, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ranklet.nothing


def test_the_files_of_workflows_are_the_verbs_of_the_library() -> None:
    """Every file at the top is a public function of its name, and no public verb lies elsewhere."""
    at_home = {
        name
        for name in ranklet.__all__
        if getattr(getattr(ranklet, name), "__module__", "") == f"{WORKFLOWS}.{name}"
    }
    assert at_home == VERBS
    anywhere = {name for name in ranklet.__all__ if name[0].islower()}
    assert anywhere - VERBS == {"load_recipe", "open_run"}  # they read a noun, and do nothing else


def test_the_verbs_of_the_command_line_are_those_of_the_library() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert commands - VERBS == {"recipes"}
    # `--seeds` of train, `recipes fit`'s and `plan`'s solver, and what all others do first.
    assert VERBS - commands == {"train_seeds", "fit_ranks", "load"}


def private_part(module: str) -> str | None:
    """Return the private file or folder of `workflows/` that a module is or lies in."""
    parts = module.removeprefix(f"{WORKFLOWS}.").split(".")
    inside = module.startswith(f"{WORKFLOWS}.") and parts[0].startswith("_")
    return parts[0] if inside else None


def test_a_private_part_is_imported_by_its_verb_and_its_siblings_alone() -> None:
    parts = {part for module in MODULES if (part := private_part(module))}
    assert {VERB_OF.get(part, part.removeprefix("_")) for part in parts} <= VERBS
    strangers = [
        (module, name)
        for module, names in IMPORTS.items()
        for name in names
        if (part := private_part(name))
        and private_part(module) != part
        and module != f"{WORKFLOWS}.{VERB_OF.get(part, part.removeprefix('_'))}"
    ]
    assert strangers == []


def recipe_fields() -> set[str]:
    """Return the name of every field of a recipe and of its sections."""
    names, models = set(), [Recipe]
    while models:
        for name, field in models.pop().model_fields.items():
            names.add(name)
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                models.append(field.annotation)
    return names


READERS = (
    "ranklet.recipe",
    "ranklet.run",
    f"{WORKFLOWS}.from_recipe",
    f"{WORKFLOWS}.train",
    f"{WORKFLOWS}._train",  # its parts, which every process of a training has a recipe for
)
# Those that read fields of a recipe besides, and why.
FURTHER_READERS = {
    "ranklet.cli.verbs.plan",  # prints the budget and `adapter.fit`
    f"{WORKFLOWS}._compare.runs",  # a field in which recipes differ names a system
    f"{WORKFLOWS}._verify.checks",  # compares a recipe with what its run states
    f"{WORKFLOWS}._verify.claims",  # counts again what a recipe trains
    f"{WORKFLOWS}._tune.fitting",  # its task: a point to a recipe within its budget
    f"{WORKFLOWS}._tune.messages",  # says how many epochs a search's recipe has
    f"{WORKFLOWS}._tune.start",  # its task: a recipe with nothing left open
    f"{WORKFLOWS}.tune",  # its seed and its metric are those of the search
    f"{WORKFLOWS}.audit",  # reads texts as a run does
    f"{WORKFLOWS}.init",  # its task: data to a recipe
    f"{WORKFLOWS}.fit_ranks",  # its task: `adapter.fit` to ranks
    f"{WORKFLOWS}.plan",  # reads the texts that a recipe chooses from
    f"{WORKFLOWS}.shrink",  # measures on a run's data, with its seed
    f"{WORKFLOWS}.train_seeds",  # compares texts in memory with what its runs were trained on
}


def readers_of_recipes() -> set[str]:
    fields = recipe_fields()
    return {
        module
        for module, path in MODULES.items()
        if recipe_fields_read(path) & fields
        and not any(module == room or module.startswith(f"{room}.") for room in READERS)
    }


def test_a_recipe_is_read_where_a_training_is_set_up_and_nowhere_below() -> None:
    assert readers_of_recipes() - FURTHER_READERS == set()


def test_a_reader_of_a_recipe_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "part.py"
    file.write_text(
        "from ranklet.recipe import DataSection\n"
        "def part(section: DataSection, other: Data):\n"
        "    return section.train, run.recipe.seed, other.test\n"
    )
    assert recipe_fields_read(file) == {"train", "seed"}
