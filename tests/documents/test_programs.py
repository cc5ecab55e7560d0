"""Recipes and programs in documents and examples load, compile and run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pages import README, ROOT, RUN_FOLDER, Block, blocks, first_columns, section

import ranklet
from ranklet.recipe import builtin_names, load_recipe
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.workflows.from_recipe.placement import labels_without_reading

# Recipes


def test_every_recipe_file_loads() -> None:
    files = [path for end in ("*.yaml", "*.yml") for path in (ROOT / "examples").rglob(end)]
    assert len(files) == 1
    for path in files:
        plan = ranklet.plan(load_recipe(path))
        assert plan.total <= plan.budget


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_recipe_in_a_document_loads(block: Block) -> None:
    recipe = parse_recipe(block.content, str(block))
    if labels_without_reading(recipe):
        plan = ranklet.plan(recipe)
        assert plan.total <= plan.budget


@pytest.mark.parametrize("name", builtin_names())
def test_a_built_in_recipe_is_within_its_budget(name: str) -> None:
    plan = ranklet.plan(load_recipe(name, ["data.train=newsbites"] if name == "default" else []))
    assert plan.total <= plan.budget


# Python


@cache
def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            yield from ((node.module, alias.name) for alias in node.names)


def public_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of `ranklet.NAME(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "ranklet":
                yield node


@pytest.mark.filterwarnings("ignore")  # transformers and peft have some of their own
@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_program_in_a_document_compiles_and_finds_its_names(block: Block) -> None:
    tree = ast.parse(block.content)
    compile(tree, str(block), "exec")
    for name, member in imports(tree):
        if name.split(".")[0] in ("mlflow", "peft", "transformers", "wandb"):
            pytest.importorskip(name, exc_type=ImportError)
        assert member is None or hasattr(module(name), member), (name, member)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "ranklet" or node.attr in ranklet.__all__
    for call in public_calls(tree):
        assert isinstance(call.func, ast.Attribute)
        function = getattr(ranklet, call.func.attr)
        named = {word.arg: None for word in call.keywords if word.arg}
        inspect.signature(function).bind(*call.args, **named)
        if function is load_recipe:
            load_recipe(*map(ast.literal_eval, call.args))


def run_example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_the_readme_shows_the_example_with_lists_line_by_line() -> None:
    program = (ROOT / "examples" / "lists_in_memory.py").read_text(encoding="utf-8")
    [shown] = [block.content for block in blocks("python") if block.path == README]
    assert program.endswith(f"\n{shown}")
    assert len(shown.splitlines()) - 1 <= 12  # but for the blank line


def test_the_example_plans_find_published_totals(capsys: pytest.CaptureFixture[str]) -> None:
    run_example("plan_a_budget.py")
    totals = re.findall(r"rank +(\d+): +([\d,]+) of", capsys.readouterr().out)
    assert totals == [("11", "999,172"), ("7", "980,740"), ("2", "925,444")]


@pytest.mark.slow
def test_the_example_training_runs_and_leaves_what_the_documents_say(
    minilm_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train_and_predict.py", "2"])
    run_example("train_and_predict.py")
    *_, budget, accuracy, first, second, third = capsys.readouterr().out.splitlines()
    assert budget.startswith("training")
    assert accuracy.startswith("test accuracy")
    assert all(line.split()[0] in line for line in (first, second, third))

    run = tmp_path / "runs" / "example"
    named = set(first_columns(section(RUN_FOLDER, "A run folder")))
    assert entries(run) == named - {"local.json"}  # nothing here is named by a path
    adapter = first_columns(section(RUN_FOLDER, "A saved adapter folder"))
    assert entries(run / "adapter") == set(adapter)
    kinds = (".json", "_predictions.csv", "_errors.csv", "_curves.json")
    of_splits = {f"{split}{kind}" for split in ("test", "validation") for kind in kinds}
    others = {"test_importance.json", "baselines.json"}
    assert entries(run / "evaluation") == of_splits | others


def entries(folder: Path) -> set[str]:
    return {path.name + "/" * path.is_dir() for path in folder.iterdir()}
