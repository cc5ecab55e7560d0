"""The reference of the command line: every verb and option of the app, the same everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from ranklet.cli.main import app
from ranklet.cli.reference import cli_reference


def verbs(command: Any, name: str = "ranklet") -> dict[str, Any]:
    """Every verb by its whole name, verbs of a group included."""
    found = {name: command}
    for own, child in getattr(command, "commands", {}).items():
        found |= verbs(child, f"{name} {own}")
    return found


APP = verbs(typer.main.get_command(app))


def sections() -> dict[str, str]:
    """The sections of the reference by their headings."""
    parts = re.split(r"^## `(.*)`\n", cli_reference(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_verb_has_a_section() -> None:
    assert list(sections()) == list(APP)
    assert len(APP) >= 14


@pytest.mark.parametrize("name", APP)
def test_every_option_is_listed_with_its_help_and_default(name: str) -> None:
    section = sections()[name]
    options = [p for p in APP[name].params if p.param_type_name == "option"]
    rows = re.findall(r"^\| `(--[\w-]+)` \| (.*) \| (.*) \| (.*) \|$", section, re.MULTILINE)
    assert [row[0] for row in rows] == [option.opts[0] for option in options]
    for (_, value, default, meaning), option in zip(rows, options, strict=True):
        assert meaning.strip() == option.help
        assert (default == "required") is option.required
        assert (value.strip() == "") is option.is_flag
        if default.strip() not in ("", "required"):
            assert default == f"`{option.default}`"


@pytest.mark.parametrize("name", APP)
def test_every_argument_is_in_the_usage(name: str) -> None:
    section = sections()[name]
    arguments = [p for p in APP[name].params if p.param_type_name == "argument"]
    places = "".join(f" {argument.metavar}" for argument in arguments)
    assert f"```text\n{name}{places}" in section
    for argument in arguments:
        assert f"| `{argument.metavar}` | {argument.help} |" in section


def test_values_say_what_is_allowed() -> None:
    assert "| `--device` | `auto`, `cpu`, `cuda` | `auto` |" in sections()["ranklet stress"]
    assert "| `--rows` | `NUMBER` from 1 | `1000` |" in sections()["ranklet stress"]
    assert "| `--accuracy` | `NUMBER` from 0 to 1 |  |" in sections()["ranklet evaluate"]
    assert "| `--set` | `KEY=VALUE` (repeat) |  |" in sections()["ranklet recipes show"]


def test_the_terminal_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    for width in ("40", "200"):
        monkeypatch.setenv("COLUMNS", width)
        pages.append(cli_reference())
    assert pages[0] == pages[1]
    assert pages[0].endswith("|\n")
