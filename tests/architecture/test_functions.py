"""Functions stay short and take few things."""

from __future__ import annotations

from pathlib import Path

from source_code import functions, modules

import ranklet

FUNCTIONS = [
    function
    for module, path in modules(Path(ranklet.__file__).parent).items()
    for function in functions(module, path)
]
MOST_PARAMETERS = 9
MOST_BODY_LINES = 60

# scikit-learn clones an estimator by its constructor: every setting must be a parameter of it.
WIDE = {"ranklet.sklearn.LoraTextClassifier.__init__"}
# Too long, docstring and signature not counted.
LONG: set[str] = set()


def test_no_function_takes_ten_things() -> None:
    """Apart from `cli/verbs/`, where the parameters of a function are the options of its verb."""
    wide = {
        f.full_name: f.parameters
        for f in FUNCTIONS
        if f.parameters > MOST_PARAMETERS and not f.module.startswith("ranklet.cli.verbs.")
    }
    assert {name: count for name, count in wide.items() if name not in WIDE} == {}


def test_no_body_is_longer_than_a_screen() -> None:
    long = {f.full_name: f.body_lines for f in FUNCTIONS if f.body_lines > MOST_BODY_LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}


def test_lines_are_counted_without_docstring_and_signature(tmp_path: Path) -> None:
    file = tmp_path / "part.py"
    file.write_text(
        'def part(\n    self, a, *b, c, **d\n):\n    """One.\n\n    Two."""\n    return 1\n'
    )
    (function,) = functions("part", file)
    assert (function.parameters, function.body_lines, function.lines) == (4, 1, 4)
