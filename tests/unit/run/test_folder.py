"""The folder of a run: what is taken for an unfinished one; two trainings never share it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ranklet
from ranklet.errors import RunError
from ranklet.run.folder import Run, check_vacant, new_run


@pytest.mark.parametrize(
    ("names", "unfinished"),
    [
        ("plan.json", True),
        ("plan.json recipe.yaml metrics.jsonl checkpoints .ranklet-0123.tmp", True),
        ("plan.json data.json evaluation figures", True),
        (".ranklet-0123.tmp", True),  # the end came with the first file
        ("recipe.yaml", False),  # a person's own
        ("metrics.jsonl checkpoints", False),
        ("plan.json recipe.yaml notes.txt", False),
        ("", False),
    ],
)
def test_what_is_taken_for_an_unfinished_run(names: str, unfinished: bool, tmp_path: Path) -> None:
    for name in names.split():
        (tmp_path / name).write_text("")
    assert Run(tmp_path).is_unfinished == unfinished
    if unfinished or not names:
        check_vacant(tmp_path)
    else:
        with pytest.raises(RunError, match="holds files that are not a run's"):
            check_vacant(tmp_path)


def test_the_plan_is_removed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end while an earlier run is removed leaves what is still known as one."""
    for name in ("recipe.yaml", "plan.json", "metrics.jsonl", "environment.json"):
        (tmp_path / name).write_text("")
    removed: list[str] = []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path: (removed.append(path.name), unlink(path)))
    with new_run(tmp_path):
        assert len(removed) == 4
        assert removed[-1] == "plan.json"


def test_a_continued_run_keeps_what_it_builds_on(tmp_path: Path) -> None:
    kept = ("recipe.yaml", "plan.json", "metrics.jsonl", "checkpoints")
    for name in (*kept, "report.html", ".ranklet-0123.tmp"):
        (tmp_path / name).write_text("")
    with new_run(tmp_path, continued=True):
        assert sorted(os.listdir(tmp_path)) == sorted((*kept, Run(tmp_path).lock.name))
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom ranklet.run.folder import new_run\n"
        "with new_run(Path(sys.argv[1])) as run:\n"
        "    run.plan.write_text('theirs')\n    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    folder = tmp_path / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    with pytest.raises(RunError, match="another process trains there; wait"), new_run(folder):
        raise AssertionError
    assert (folder / "plan.json").read_text() == "theirs"
    other.kill()
    other.communicate()
    with new_run(folder) as run:  # the lock went with its process
        assert not run.plan.exists()
    assert os.listdir(folder) == []


def test_a_file_system_without_locks_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lock: object, timeout: float) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("ranklet.run.folder.FileLock.acquire", refuse)
    with new_run(tmp_path / "run") as run:
        run.plan.write_text("")
    assert os.listdir(tmp_path / "run") == ["plan.json"]


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


def test_a_refused_disk_leaves_no_folder(tmp_path: Path) -> None:
    def fill() -> None:
        with new_run(tmp_path / "a" / "b") as run:
            run.plan.write_text("")
            raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        fill()
    assert os.listdir(tmp_path) == []
