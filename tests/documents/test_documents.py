"""What is published is true: commands, recipes, programs, links, trees and tables."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import ranklet
from ranklet import errors
from ranklet.cli.exit_codes import UsageError
from ranklet.cli.main import app
from ranklet.cli.main import run as run_command_line
from ranklet.data.reading.named_sets import NAMED_SETS
from ranklet.recipe import builtin_names, load_recipe
from ranklet.recipe.yaml_file import parse_recipe
from ranklet.workflows.from_recipe.placement import labels_without_reading

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ranklet"
README, HOW_TO = ROOT / "README.md", ROOT / "docs" / "how-to.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
FOLDERS = ("docs", "examples", "benchmarks", "src", "tests")
MARKDOWN = sorted(
    [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fenced_blocks() -> Iterator[Block]:
    for path in MARKDOWN:
        text = read(path)
        for found in FENCED.finditer(text):
            yield Block(path, text.count("\n", 0, found.start()) + 1, found[1], found[2])


BLOCKS = tuple(fenced_blocks())


def blocks(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def section(path: Path, title: str) -> str:
    return read(path).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_columns(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


# Commands


def shell_lines(block: Block) -> list[list[str]]:
    """The commands of a block as words, without assignments of variables before them."""
    lines = [shlex.split(line, comments=True) for line in block.content.splitlines()]
    return [words[next(n for n, w in enumerate(words) if "=" not in w) :] for words in lines]


SHELL = [(block, words) for block in blocks("shell") for words in shell_lines(block)]
COMMANDS = [
    pytest.param(words[words.index("ranklet") + 1 :], id=str(b))
    for b, words in SHELL
    if words[0] == "ranklet" or (words[0] == "torchrun" and "ranklet" in words)
]
CHEAP = [command for command in COMMANDS if command.values[0][0] in ("plan", "recipes")]


def parsed(arguments: list[str]) -> Mapping[str, Any]:
    """Parse a command line down to its last verb, without running anything."""
    command: Any = typer.main.get_command(app)
    verb, *rest = arguments
    command = command.commands[verb]
    if rest and rest[0] in getattr(command, "commands", ()):
        verb, *rest = rest
        command = command.commands[verb]
    return dict(command.make_context(verb, rest).params)


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["ranklet", *arguments])
    with pytest.raises(SystemExit) as ended:
        run_command_line()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_nothing_is_overlooked() -> None:
    found = {name: len(blocks(name)) for name in ("console", "yaml", "python")}
    assert found == {"console": 1, "yaml": 9, "python": 8}
    assert len(COMMANDS) >= 25
    assert len(CHEAP) >= 5


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_parses_and_its_recipe_resolves(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    options = parsed(arguments)
    if "recipe" in options:
        data = load_recipe(options["recipe"], options["set_"] or []).data
        # A file of one's own is never tested on the test part of a named set.
        assert data.test == data.train or data.test not in NAMED_SETS


@pytest.mark.parametrize(
    "arguments", [["trian", "quickstart"], ["train"], ["plan", "quickstart", "--jsno"]]
)
def test_a_wrong_command_would_be_found(arguments: list[str]) -> None:
    with pytest.raises((KeyError, UsageError)):
        parsed(arguments)


@pytest.mark.parametrize("arguments", [*CHEAP, ["--version"], ["--help"], ["train", "--help"]])
def test_a_cheap_command_runs(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments, monkeypatch) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert not printed.err
    if "--json" in arguments:
        assert {"total", "budget", "rows"} <= json.loads(printed.out).keys()


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_printed_output_is_what_the_command_prints(
    block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, expected = block.content.partition("\n")
    prompt, program, *arguments = shlex.split(command)
    assert (prompt, program) == ("$", "ranklet")
    code = call(arguments, monkeypatch)
    printed = capsys.readouterr()
    assert [line.rstrip() for line in (printed.out + printed.err).splitlines()] == (
        expected.splitlines()
    )
    assert code == (2 if printed.err else 0)


def test_other_commands_exist() -> None:
    targets = set(re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE))
    extras = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    for block, words in SHELL:
        if words[0] == "make":
            assert set(words[1:]) <= targets, block
        elif "pip" in words:
            assert set(re.findall(r"[\w-]+", words[-1].partition("[")[2])) <= extras.keys(), block
        else:
            assert words[0] in ("ranklet", "source", "torchrun", "sbatch", "export"), block


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
    plan = ranklet.plan(load_recipe(name))
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
    for each in public_calls(tree):
        assert isinstance(each.func, ast.Attribute)
        called = getattr(ranklet, each.func.attr)
        named = {word.arg: None for word in each.keywords if word.arg}
        inspect.signature(called).bind(*each.args, **named)
        if called is load_recipe:
            load_recipe(*map(ast.literal_eval, each.args))


def run_example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_the_example_plans_find_published_totals(capsys: pytest.CaptureFixture[str]) -> None:
    run_example("plan_a_budget.py")
    found = re.findall(r"rank +(\d+): +([\d,]+) of", capsys.readouterr().out)
    assert found == [("11", "999,172"), ("7", "980,740"), ("2", "925,444")]


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
    assert entries(run) == set(first_columns(section(ARCHITECTURE, "A run folder")))
    adapter = first_columns(section(ARCHITECTURE, "A saved adapter folder"))
    assert entries(run / "adapter") == set(adapter)
    kinds = (".json", "_predictions.csv", "_errors.csv", "_curves.json")
    of_splits = {f"{split}{kind}" for split in ("test", "validation") for kind in kinds}
    others = {"test_importance.json", "baselines.json"}
    assert entries(run / "evaluation") == of_splits | others


def entries(folder: Path) -> set[str]:
    return {path.name + "/" * path.is_dir() for path in folder.iterdir()}


# Links, trees, floors, errors


def anchors(path: Path) -> set[str]:
    """The anchors of a document's titles, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", read(path))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_a_broken_anchor_would_be_found() -> None:
    assert "exit-codes" in anchors(ARCHITECTURE)
    assert "exit-code" not in anchors(ARCHITECTURE)


def drawn_tree(path: Path, title: str) -> Iterator[Path]:
    """Every file and folder that the tree in a section names; several names stand between dots."""
    first, *lines = FENCED.search(section(path, title))[2].splitlines()  # type: ignore[index]
    folders = [ROOT / first]
    for line in lines:
        branch, found, entry = line.partition("── ")
        if found:
            names = re.split(r"\s{2,}", entry)[0].split(" · ")
            parent = folders[(len(branch) - 1) // 4]
            yield from (parent / name for name in names)
            folders[(len(branch) - 1) // 4 + 1 :] = [parent / names[0]]


@pytest.mark.parametrize(("path", "title"), [(README, "What is where"), (ARCHITECTURE, "Rooms")])
def test_everything_in_a_tree_exists(path: Path, title: str) -> None:
    drawn = list(drawn_tree(path, title))
    assert len(drawn) >= 20
    assert [entry for entry in drawn if not entry.exists()] == []
    assert len(drawn) == len(set(drawn))


def test_the_trees_are_complete() -> None:
    rooms = {path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    files = {path for path in PACKAGE.glob("*.py")}
    assert rooms | files <= set(drawn_tree(README, "What is where"))
    inside = {path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    assert rooms | files | inside <= set(drawn_tree(ARCHITECTURE, "Rooms"))


def test_the_floors_are_drawn_as_they_are_tested() -> None:
    tree = ast.parse(read(ROOT / "tests" / "architecture" / "test_floors.py"))
    tested = next(
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    )
    drawing = FENCED.search(section(ARCHITECTURE, "Floors"))[2]  # type: ignore[index]
    drawn = dict(re.findall(r"^(\d)   (\w+(?:  \w+)*)\s{3,}", drawing, re.MULTILINE))
    assert {int(n): tuple(names.split()) for n, names in drawn.items()} == dict(enumerate(tested))


def test_every_error_is_explained() -> None:
    text = read(ROOT / "docs" / "errors.md")
    drawn = re.findall(r"^[├└]── (\w+)\((\w+)\)(.*)$", text, re.MULTILINE)
    known = errors.RankletError.__subclasses__()
    assert len(drawn) == len(known)
    codes = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert {error.__name__: str(error.exit_code) for error in known} == codes
    for name, base, attributes in drawn:
        error = getattr(errors, name)
        assert base in {each.__name__ for each in error.__bases__}
        source = inspect.getsource(error)
        assert [
            word for word in re.findall(r"\w+", attributes) if f"self.{word}" not in source
        ] == []


# Form


@pytest.mark.parametrize(
    ("name", "lines"),
    [("README.md", 150), ("examples/train_and_predict.py", 40), ("examples/plan_a_budget.py", 25)],
)
def test_what_is_read_first_stays_short(name: str, lines: int) -> None:
    assert len(read(ROOT / name).splitlines()) <= lines


PUBLISHED = [*MARKDOWN, *(path for path in (ROOT / "examples").iterdir() if path.is_file())]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_names_a_machine(path: Path) -> None:
    assert not re.search(r"/(work|home|root|tmp|Users)/|pypi\.org|pythonhosted", read(path))


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_figure_still_to_come_is_marked_as_such(path: Path) -> None:
    notes = re.findall(r"<!--.*?-->", read(path), re.DOTALL)
    assert [note for note in notes if not re.fullmatch(r"<!-- figure: [a-z0-9-]+ -->", note)] == []
