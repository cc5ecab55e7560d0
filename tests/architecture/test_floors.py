"""The rules of the house: imports go downwards, never in a circle; files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ranklet

PACKAGE = Path(ranklet.__file__).parent
FLOORS = (
    ("errors", "vocabulary", "labels", "batch", "files", "hub", "launch", "recipe"),
    ("encoder", "lora", "data", "budget"),
    ("problem", "head", "classifier", "saved"),
    ("training", "evaluation"),
    ("run", "workflows"),
    ("cli", "sklearn", "__main__"),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
EXTRAS = {"transformers", "peft", "accelerate", "datasets", "pyarrow", "sentence_transformers"}
BANNED = ("utils", "helper", "manager", "handler", "common", "misc", "process")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(modules())


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.iter_child_nodes(tree)) if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= members
            if not members <= MODULES.keys():
                names.add(node.module)
    return names


def own_imports(module: str) -> set[str]:
    return {name for name in imported(MODULES[module]) if name in MODULES and name != module}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in MODULES} - {""} == set(FLOOR_OF)


def test_imports_go_downwards() -> None:
    upwards = [
        (module, name)
        for module in MODULES
        if room(module)
        for name in own_imports(module)
        if room(name) and FLOOR_OF[room(name)] > FLOOR_OF[room(module)]
    ]
    assert not upwards


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every strongly connected component of more than one node, found by mutual reachability."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        frontier = [start]
        while frontier:
            for successor in graph[frontier.pop()] - seen:
                seen.add(successor)
                frontier.append(successor)
        return seen

    reach = {node: reachable(node) for node in graph}
    return [
        sorted(n for n in reach[node] if node in reach[n]) for node in graph if node in reach[node]
    ]


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: own_imports(module) for module in MODULES if module != "ranklet"}
    graph = {module: {n for n in names if n in graph} for module, names in graph.items()}
    assert circles(graph) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {name: set() for name in FLOOR_OF}
    for module in MODULES:
        if room(module):
            rooms[room(module)] |= {room(n) for n in own_imports(module)} - {"", room(module)}
    assert circles(rooms) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]] * 3


def test_extras_are_imported_only_where_they_are_used() -> None:
    def top_level(path: Path) -> set[str]:
        return {name.split(".")[0] for name in imported(path, top_level_only=True)}

    assert not [
        (name, top_level(path) & EXTRAS)
        for name, path in MODULES.items()
        if top_level(path) & EXTRAS
    ]


def test_files_stay_small_and_have_good_names() -> None:
    long = [n for n, path in MODULES.items() if len(path.read_text("utf-8").splitlines()) > 400]
    badly_named = [n for n in MODULES if set(BANNED) & set(n.split(".")[-1].split("_"))]
    assert (long, badly_named) == ([], [])


def test_the_public_contract_is_sorted_and_complete() -> None:
    assert ranklet.__all__ == sorted(ranklet.__all__)
    for name in ranklet.__all__:
        assert getattr(ranklet, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ranklet.nothing


HEAVY = {
    "help": ({"torch", "numpy", "sklearn", "matplotlib", "pydantic", *EXTRAS}, "['--help']"),
    "recipes": ({"torch", "numpy", "sklearn", "matplotlib", *EXTRAS}, "['recipes']"),
    "plan": ({"sklearn", "matplotlib", "huggingface_hub", *EXTRAS}, "['plan', 'ag_news']"),
}


@pytest.mark.parametrize(("heavy", "arguments"), HEAVY.values(), ids=HEAVY.keys())
def test_a_verb_imports_only_what_it_needs(heavy: set[str], arguments: str) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments}\n"
        "from ranklet.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        f"print('loaded', sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "loaded []"
