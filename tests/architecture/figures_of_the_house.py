"""Count a source tree: files, functions, imports.

Lines of a function are those without its docstring. A folder counts as one box.

    python tests/architecture/figures_of_the_house.py src/ranklet
    python tests/architecture/figures_of_the_house.py src/ranklet ../before/src/ranklet
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from source_code import boxes, circles, functions, import_graph, modules

MANY_PARAMETERS = 10
ROOMS = ("workflows", "evaluation")


def figures(package: Path) -> dict[str, str]:
    """Count a package.

    Args:
        package: Its folder, such as `src/ranklet`.
    """
    files = modules(package)
    lengths = {module: len(path.read_text("utf-8").splitlines()) for module, path in files.items()}
    bodies = [function for module, path in files.items() for function in functions(module, path)]
    graph = import_graph(files)
    inside = {module: names for module, names in graph.items() if module != package.name}
    inside = {module: names & inside.keys() for module, names in inside.items()}
    longest_file = max(lengths, key=lengths.__getitem__)
    longest = max(bodies, key=lambda function: function.lines)
    many = [function for function in bodies if function.parameters >= MANY_PARAMETERS]
    most = max(bodies, key=lambda function: function.parameters)
    counted = {
        "files": f"{len(files):,}",
        "lines": f"{sum(lengths.values()):,}",
        "lines of a file, median": f"{statistics.median(lengths.values()):.0f}",
        "lines of the longest file": f"{lengths[longest_file]} ({longest_file})",
        "functions": f"{len(bodies):,}",
        "lines of a function, median": f"{statistics.median(f.lines for f in bodies):.0f}",
        "lines of the longest function": f"{longest.lines} ({longest.full_name})",
        f"functions with {MANY_PARAMETERS} parameters or more": f"{len(many)}",
        "most parameters": f"{most.parameters} ({most.full_name})",
        "modules in import circles": f"{len(circles(inside))}",
    }
    for room in ROOMS:
        arrows = boxes(graph, f"{package.name}.{room}")
        count = sum(len(names) for names in arrows.values())
        counted[f"import arrows inside {room}"] = f"{count} between {len(arrows)} boxes"
    return counted


def main() -> None:
    packages = [Path(argument) for argument in sys.argv[1:]] or [Path("src/ranklet")]
    columns = [figures(package) for package in packages]
    sys.stdout.write(f"| | {' | '.join(map(str, packages))} |\n|---|{'---|' * len(packages)}\n")
    for name in columns[0]:
        sys.stdout.write(f"| {name} | {' | '.join(column[name] for column in columns)} |\n")


if __name__ == "__main__":
    main()
