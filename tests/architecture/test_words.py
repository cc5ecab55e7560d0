"""One word for one thing: names that say nothing, and `rank`, which is LoRA's alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from source_code import FunctionNode, modules, tree_of

import ranklet

PACKAGE = Path(ranklet.__file__).parent
SAY_NOTHING = {"found", "held", "told", "each", "one", "asked", "judged"}
# Longer lives need a name that says what it is.
MOST_LINES = 3
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

# Names in which `rank` means a process. torch and its launcher have theirs (RANK, LOCAL_RANK).
RANK_AS_PROCESS = {
    "Ranks",
    "RankLostError",
    "join_ranks",
    "own_rank",
    "process_rank",
    "rank_count",
    "world_rank",
}
# Where processes meet: here every name with `rank` would mean one of them.
ABOUT_PROCESSES = ("launch.py", "training/processes.py", "workflows/_train/other_processes.py")


def scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda | COMPREHENSIONS):
            yield node


def inside(scope: ast.AST) -> Iterator[ast.AST]:
    """Walk a scope without what belongs to a scope inside of it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if isinstance(child, COMPREHENSIONS):
            own = {part.id for loop in child.generators for part in names_in(loop.target)}
            yield from (node for node in inside(child) if getattr(node, "id", None) not in own)
        elif not isinstance(child, FunctionNode | ast.ClassDef | ast.Lambda):
            yield from inside(child)


def names_in(node: ast.AST) -> Iterator[ast.Name]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Name))


def defined(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node gives to something."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.arg):
        yield node.arg
    if isinstance(node, FunctionNode | ast.ClassDef):
        yield node.name
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def long_lived(path: Path, words: set[str]) -> list[tuple[int, str]]:
    """Find where a word is the name of something that lives longer than `MOST_LINES` lines.

    A variable lives from its first to its last mention in its scope; a parameter as long as its
    function; functions and fields of classes for ever.
    """
    lines: set[tuple[int, str]] = set()
    for scope in scopes(tree_of(path)):
        mentions: dict[str, list[int]] = {}
        for node in inside(scope):
            if isinstance(node, FunctionNode | ast.ClassDef) and node.name in words:
                lines.add((node.lineno, node.name))
            name = getattr(node, "id", getattr(node, "arg", None))
            if isinstance(node, ast.Name | ast.arg) and name in words:
                mentions.setdefault(str(name), []).append(node.lineno)
        ends = getattr(scope, "end_lineno", None)
        for name, places in mentions.items():
            parameters = {
                child.arg
                for child in ast.walk(getattr(scope, "args", ast.arguments()))
                if isinstance(child, ast.arg)
            }
            last = ends if name in parameters and ends else max(places)
            for_ever = isinstance(scope, ast.ClassDef | ast.Module)
            if for_ever or last - min(places) >= MOST_LINES:
                lines.add((min(places), name))
    return sorted(lines)


def where(path: Path, line: int, name: str) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{line}: {name}"


def test_names_that_live_long_say_what_they_are() -> None:
    places = [
        where(path, line, name)
        for path in modules(PACKAGE).values()
        for line, name in long_lived(path, SAY_NOTHING)
    ]
    assert not places, "\n" + "\n".join(places)


def test_rank_is_lora_s_rank() -> None:
    places = []
    for path in modules(PACKAGE).values():
        about_processes = str(path.relative_to(PACKAGE)) in ABOUT_PROCESSES
        for node in ast.walk(tree_of(path)):
            for name in defined(node):
                words = {"rank", "ranks"} & set(name.lower().split("_"))
                if name in RANK_AS_PROCESS or (about_processes and words):
                    places.append(where(path, getattr(node, "lineno", 0), name))
    assert not places, "\n" + "\n".join(places)


def test_a_name_that_says_nothing_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "part.py"
    file.write_text(
        "def part(found):\n    a = 1\n    b = 2\n    return a, b\n"
        "def short():\n    for one in (1, 2):\n        print(one)\n"
        "def long():\n    held = 1\n    a = 2\n    b = 3\n    return held\n"
        "def told():\n    pass\n"
        "class Part:\n    each: int\n"
        "def apart():\n    a = [one for one in 'a']\n    b = 1\n    c = 2\n"
        "    return [one for one in a]\n"
    )
    assert long_lived(file, SAY_NOTHING) == [(1, "found"), (9, "held"), (13, "told"), (16, "each")]
