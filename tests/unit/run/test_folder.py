"""Every path of a run is spelled in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ranklet

OWN_NAMES = ("recipe.yaml", "plan.json", "certificate.json", "seeds.json", "seed-")
OWN_ENDINGS = ("_curves.json", "_predictions.csv", "_errors.csv", "_importance.json")


def test_nobody_else_spells_a_path_of_a_run() -> None:
    """Names below the folder of a run are put together in run/folder.py alone.

    `recipe` knows no runs: it names a file that a person may have meant.
    """
    package = Path(ranklet.__file__).parent
    spelling = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        if path != package / "run" / "folder.py" and path.parent != package / "recipe"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if spells_a_path(node)
    ]
    assert spelling == []


@pytest.mark.parametrize(
    ("code", "is_one"),
    [
        ('run.evaluation / f"{split}.json"', True),
        ('stated.run.folder / "notes.txt"', True),
        ('folder / f"{split}_errors.csv"', True),
        ('path / "recipe.yaml"', True),
        ('folder / f"seed-{seed}"', True),
        ("run.adapter / TENSORS_FILE", False),
        ('folder / "config.json"', False),
    ],
)
def test_such_a_path_would_be_found(code: str, is_one: bool) -> None:
    assert any(map(spells_a_path, ast.walk(ast.parse(code)))) == is_one


def spells_a_path(node: ast.AST) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
        return False
    written = "".join(
        part.value
        for part in ast.walk(node.right)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
    below_evaluation = ast.unparse(node.left).endswith((".evaluation", "run.folder"))
    return below_evaluation or written.startswith(OWN_NAMES) or written.endswith(OWN_ENDINGS)
