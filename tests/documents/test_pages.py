"""Links lead somewhere, drawings and tables are what the code is, nothing is out of date."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import (
    ARCHITECTURE,
    DOCS,
    ERRORS,
    FENCED,
    FOLDERS,
    MARKDOWN,
    PACKAGE,
    ROOT,
    read,
    section,
)

import ranklet
from ranklet import errors
from ranklet.cli.reference import cli_reference


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
    assert "exit-codes" in anchors(ERRORS)
    assert "exit-code" not in anchors(ERRORS)


def drawn_tree(path: Path, title: str) -> Iterator[Path]:
    """Every file and folder that the tree in a section names; several names stand between dots."""
    first, *lines = FENCED.search(section(path, title))[2].splitlines()  # type: ignore[index]
    folders = [ROOT / first]
    for line in lines:
        branch, mark, entry = line.partition("── ")
        if mark:
            names = re.split(r"\s{2,}", entry)[0].split(" · ")
            parent = folders[(len(branch) - 1) // 4]
            yield from (parent / name for name in names)
            folders[(len(branch) - 1) // 4 + 1 :] = [parent / names[0]]


def test_everything_in_the_tree_exists() -> None:
    drawn = list(drawn_tree(ARCHITECTURE, "Rooms"))
    assert len(drawn) >= 20
    assert [entry for entry in drawn if not entry.exists()] == []
    assert len(drawn) == len(set(drawn))


def test_the_tree_is_complete() -> None:
    rooms = {path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    files = {path for path in PACKAGE.glob("*.py")}
    inside = {path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    assert rooms | files | inside <= set(drawn_tree(ARCHITECTURE, "Rooms"))


def test_the_tree_is_what_the_docstrings_say() -> None:
    page_with_tree = runpy.run_path(str(DOCS / "source_tree.py"))["page_with_tree"]
    assert read(ARCHITECTURE) == page_with_tree(), "run python docs/source_tree.py"


def test_the_reference_of_the_command_line_is_what_the_verbs_say() -> None:
    hint = "run python -m ranklet.cli.reference > docs/reference/cli.md"
    assert read(DOCS / "reference" / "cli.md") == cli_reference(), hint


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
    text = read(ERRORS)
    drawn = re.findall(r"^[├└]── (\w+)\((\w+)\)(.*)$", text, re.MULTILINE)
    classes = errors.RankletError.__subclasses__()
    assert len(drawn) == len(classes)
    codes = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert {error.__name__: str(error.exit_code) for error in classes} == codes
    for name, base, attributes in drawn:
        error = getattr(errors, name)
        assert base in {parent.__name__ for parent in error.__bases__}
        source = inspect.getsource(error)
        assert [
            word for word in re.findall(r"\w+", attributes) if f"self.{word}" not in source
        ] == []


def test_every_public_name_is_in_the_python_reference() -> None:
    page = read(DOCS / "reference" / "python.md")
    documented = re.findall(
        r"^\.\. auto(?:function|class|exception):: (\w+)(?:\(\))?$", page, re.MULTILINE
    )
    assert sorted(documented) == ranklet.__all__


PATHS = re.compile(
    r"\b(?:src|docs|tests|benchmarks|examples)/[a-z0-9_/.-]*\.(?:py|md|yaml|sbatch|txt|png)\b"
)
SOURCES = [
    *MARKDOWN,
    *(
        path
        for name in FOLDERS
        for end in ("py", "yaml")
        for path in (ROOT / name).rglob(f"*.{end}")
    ),
    ROOT / "Makefile",
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_is_named_exists(path: Path) -> None:
    assert [name for name in PATHS.findall(read(path)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_is_named_exists(path: Path) -> None:
    names = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", read(path))
    for name in names:
        beside = ((ROOT / name).exists(), (path.parent / name).exists())
        assert any(beside) or any(PACKAGE.rglob(name)), name


# Form


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_wrapped(path: Path) -> None:
    prose = re.sub(r"`[^`\n]+`|\]\([^)\s]+\)", "", FENCED.sub("", read(path)))
    assert [line for line in prose.splitlines() if len(line) > 100 and line[0] != "|"] == []


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


# Pages of the site that are files of the repository's root.
PUT_IN = {
    DOCS / "index.md": "README.md",
    DOCS / "changelog.md": "CHANGELOG.md",
    DOCS / "developers" / "contributing.md": "CONTRIBUTING.md",
}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_figure_still_to_come_is_marked_as_such(path: Path) -> None:
    notes = re.findall(r"<!--.*?-->", read(path), re.DOTALL)
    if path in PUT_IN:
        assert notes == [f"<!-- {PUT_IN[path]} -->"]
        assert (ROOT / PUT_IN[path]).is_file()
        return
    assert [note for note in notes if not re.fullmatch(r"<!-- figure: [a-z0-9-]+ -->", note)] == []
