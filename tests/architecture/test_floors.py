"""The rules of the house: imports go downwards, and never in a circle."""

from __future__ import annotations

from pathlib import Path

from source_code import circles, import_graph, modules

import ranklet

PACKAGE = Path(ranklet.__file__).parent
FLOORS = (
    (
        "errors",
        "vocabulary",
        "display",
        "labels",
        "batch",
        "files",
        "termination",
        "cache",
        "local_paths",
        "foreign_text",
        "json_values",
        "hub",
        "launch",
        "recipe",
    ),
    ("encoder", "lora", "data", "budget"),
    ("problem", "probe", "head", "classifier", "saved"),
    ("training", "evaluation", "text_classifier"),
    ("run", "search", "workflows"),
    ("cli", "sklearn", "__main__"),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = modules(PACKAGE)
IMPORTS = import_graph(MODULES)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in MODULES} - {""} == set(FLOOR_OF)


def test_imports_go_downwards() -> None:
    upwards = [
        (module, name)
        for module in MODULES
        if room(module)
        for name in IMPORTS[module]
        if room(name) and FLOOR_OF[room(name)] > FLOOR_OF[room(module)]
    ]
    assert not upwards


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: names for module, names in IMPORTS.items() if module != "ranklet"}
    graph = {module: {n for n in names if n in graph} for module, names in graph.items()}
    assert circles(graph) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {name: set() for name in FLOOR_OF}
    for module in MODULES:
        if room(module):
            rooms[room(module)] |= {room(n) for n in IMPORTS[module]} - {"", room(module)}
    assert circles(rooms) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]] * 3
