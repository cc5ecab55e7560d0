"""Commands in documents parse, and print what is printed there."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import typer
from pages import README, ROOT, Block, blocks, read

from ranklet.cli.exit_codes import UsageError
from ranklet.cli.main import app
from ranklet.cli.main import run as run_command_line
from ranklet.data.reading.named_sets import NAMED_SETS
from ranklet.recipe import load_recipe, names_recipe


def shell_lines(block: Block) -> list[list[str]]:
    """The commands of a block as words, without assignments of variables before them."""
    lines = [shlex.split(line, comments=True) for line in block.content.splitlines()]
    return [words[next(n for n, w in enumerate(words) if "=" not in w) :] for words in lines]


def prompts(block: Block) -> list[list[str]]:
    """The commands of a block that shows a terminal: those behind a dollar."""
    lines = re.findall(r"^\$ (.+)$", block.content, re.MULTILINE)
    return [shlex.split(line) for line in lines]


SHELL = [(block, words) for block in blocks("shell") for words in shell_lines(block)]
SHELL += [(block, words) for block in blocks("text") for words in prompts(block)]
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
    counts = {name: len(blocks(name)) for name in ("console", "yaml", "python")}
    assert counts == {"console": 1, "yaml": 11, "python": 13}
    assert len(COMMANDS) >= 95
    assert len(CHEAP) >= 5


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_parses_and_its_recipe_resolves(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    options = parsed(arguments)
    recipe = options.get("recipe", options.get("source", ""))
    if names_recipe(recipe):
        data = load_recipe(recipe, options["set_"] or []).data
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
    targets = set(re.findall(r"^([\w-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    extras = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    for block, words in SHELL:
        if words[0] == "make":
            assert set(words[1:]) <= targets, block
        elif words[:3] == ["python", "-m", "pytest"]:
            assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), block
        elif "pip" in words and "wheel" not in words:
            assert set(re.findall(r"[\w-]+", words[-1].partition("[")[2])) <= extras.keys(), block
        else:
            assert words[0] in ("ranklet", "source", "torchrun", "sbatch", "export"), block


def test_the_first_screen_of_the_readme_installs_trains_evaluates_and_predicts() -> None:
    screen = "\n".join(read(README).splitlines()[:30])
    order = ["pip install", "$ ranklet train", "$ ranklet evaluate", "$ ranklet classify"]
    places = [screen.index(words) for words in order]
    assert places == sorted(places)
    assert "make quickstart" in screen
