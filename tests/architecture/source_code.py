"""The sources as syntax trees: what the tests of the house and its figures ask them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """One function or method.

    Attributes:
        module: Dotted name of its module.
        name: With the classes and functions it stands in, such as `Plan.to_json`.
        line: Where it begins.
        parameters: All of them but `self` and `cls`.
        body_lines: Without docstring and signature.
        lines: With signature, without docstring and decorators.
    """

    module: str
    name: str
    line: int
    parameters: int
    body_lines: int
    lines: int

    @property
    def full_name(self) -> str:
        return f"{self.module}.{self.name}"


def modules(package: Path) -> dict[str, Path]:
    """Find every module of a package by its dotted name."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return what a file imports anywhere: modules of `known` by full name, and all others."""
    return _names(ast.walk(tree_of(path)), known)


def imported_at_once(path: Path) -> set[str]:
    """Return the packages that a file imports when it is imported itself."""
    return {name.split(".")[0] for name in _names(_outside_functions(tree_of(path)), {})}


def imported_later(path: Path) -> set[str]:
    """Return the packages that a file imports in functions alone."""
    everywhere = {name.split(".")[0] for name in imported(path, {})}
    return everywhere - imported_at_once(path)


def _names(nodes: Iterator[ast.AST], known: Mapping[str, Path]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import relative to its file"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= members & known.keys()
            if not members <= known.keys():
                names.add(str(node.module))
    return names


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _outside_functions(child)


def import_graph(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return for every module the modules of the same package that it imports."""
    return {
        module: (imported(path, known) & known.keys()) - {module} for module, path in known.items()
    }


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return every strongly connected component of more than one node, once for each of its nodes.

    Found by mutual reachability.
    """

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


def boxes(graph: Mapping[str, set[str]], room: str) -> dict[str, set[str]]:
    """Return a room's import graph with every folder in it, and every file beside them, as one box.

    Args:
        graph: Of all modules.
        room: Dotted name, such as `ranklet.workflows`.
    """
    prefix = f"{room}."

    def box(module: str) -> str:
        return module.removeprefix(prefix).split(".")[0]

    arrows: dict[str, set[str]] = {}
    for module, names in graph.items():
        if module.startswith(prefix):
            others = {box(name) for name in names if name.startswith(prefix)}
            arrows.setdefault(box(module), set()).update(others - {box(module)})
    return arrows


def functions(module: str, path: Path) -> Iterator[Function]:
    """Find every function of a module, those inside of others too."""
    yield from _functions(module, "", tree_of(path))


def _functions(module: str, outer: str, node: ast.AST) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        name = f"{outer}{child.name}" if isinstance(child, FunctionNode | ast.ClassDef) else ""
        if isinstance(child, FunctionNode):
            signature, body = _lines(child)
            parameters = _parameters(child)
            yield Function(module, name, child.lineno, parameters, body, signature + body)
        yield from _functions(module, f"{name}." if name else outer, child)


def _parameters(node: FunctionNode) -> int:
    given = node.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [argument.arg for argument in (given.vararg, given.kwarg) if argument]
    return len([name for name in names if name not in ("self", "cls")])


def _lines(node: FunctionNode) -> tuple[int, int]:
    """Count the lines of signature and body, without the docstring."""
    ends = int(node.end_lineno or node.lineno)
    first = node.body[0]
    signature = first.lineno - node.lineno
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant | ast.JoinedStr):
        docstring = int(first.end_lineno or first.lineno) - first.lineno + 1
    return signature, ends - node.lineno + 1 - signature - docstring


def recipe_fields_read(path: Path) -> set[str]:
    """Find the fields of a recipe, or of its sections, that a file reads.

    A value is one if it is annotated with a name of `ranklet.recipe` (`Recipe`, `DataSection` …),
    if it comes of `load_recipe`, or if it is an attribute `recipe`.
    """
    kinds = {
        alias.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ranklet.recipe")
        for alias in node.names
    }
    recipes = {"recipe"} if "load_recipe" in kinds else set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            name = node.arg if isinstance(node, ast.arg) else getattr(node.target, "id", None)
            words = {part.id for part in ast.walk(node.annotation) if isinstance(part, ast.Name)}
            if name and words & kinds:
                recipes.add(name)
        if isinstance(node, ast.Assign) and "load_recipe" in _called(node.value):
            recipes |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {
        node.attr
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and not node.attr.startswith("model_")
        and (
            (isinstance(node.value, ast.Name) and node.value.id in recipes)
            or (isinstance(node.value, ast.Attribute) and node.value.attr == "recipe")
            or (isinstance(node.value, ast.Call) and "load_recipe" in _called(node.value))
        )
    }


def _called(node: ast.AST) -> set[str]:
    return {
        part.func.id
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }
