"""The folder of a new run: nothing is emptied but its own beginning; two runs never share one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ranklet.errors import RunError
from ranklet.run import new_run as module
from ranklet.run.folder import RUNS_FOLDER, Run
from ranklet.run.new_run import check_vacant, chosen_folder, new_run
from ranklet.termination import TerminatedError

OWN, OTHER = {"recipe": "a" * 64}, {"recipe": "b" * 64}
NO_RUN, ANOTHER = "holds files that are not an unfinished run's", "unfinished run of another recipe"


def fill(folder: Path, names: str, mark: Any = None) -> None:
    folder.mkdir(exist_ok=True)
    for name in names.split():
        if name.endswith("/"):
            (folder / name).mkdir()
            (folder / name / "precious.txt").write_text(name)
        else:
            (folder / name).write_text(name)
    if mark is not None:
        (folder / "unfinished.json").write_text(json.dumps(mark))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FULL = "recipe.yaml plan.json environment.json data.json metrics.jsonl report.html adapter/"


@pytest.mark.parametrize(
    ("names", "mark", "refusal"),
    [
        ("plan.json", OWN, None),
        (FULL + " evaluation/ figures/ tensorboard/ checkpoints/ .ranklet-0123.tmp", OWN, None),
        ("", OWN, None),
        ("", None, None),
        (".ranklet-0123.tmp", None, None),  # the end came with the mark
        (FULL + " evaluation/ figures/", None, NO_RUN),  # a finished run lost its certificate
        ("plan.json data.json figures/", None, NO_RUN),  # somebody's project
        ("plan.json checkpoints/", None, NO_RUN),
        (".ranklet-0123.tmp/", None, NO_RUN),
        ("recipe.yaml", None, NO_RUN),
        ("plan.json notes.txt", OWN, NO_RUN),
        (FULL, OTHER, ANOTHER),
        ("", OTHER, ANOTHER),
        (FULL, {}, ANOTHER),
        (FULL, [], "must hold a JSON object"),
    ],
)
def test_only_its_own_beginning_is_emptied(
    names: str, mark: Any, refusal: str | None, tmp_path: Path
) -> None:
    fill(tmp_path, names, mark)
    before = tree(tmp_path)
    if refusal is None:
        check_vacant(tmp_path, OWN)
        assert tree(tmp_path) == before
        with new_run(tmp_path, OWN) as run:
            assert sorted(os.listdir(tmp_path)) == [run.lock.name, run.mark.name]
        assert json.loads(run.mark.read_text()) == OWN
        return
    for check in (check_vacant, enter):
        with pytest.raises(RunError, match=refusal):
            check(tmp_path, OWN)
        assert tree(tmp_path) == before


def test_without_a_mark_of_its_own_a_folder_must_be_empty(tmp_path: Path) -> None:
    fill(tmp_path, "plan.json", OWN)
    with pytest.raises(RunError, match=ANOTHER):
        check_vacant(tmp_path)


def enter(folder: Path, mark: Any) -> None:
    with new_run(folder, mark):
        raise AssertionError


def test_the_mark_is_written_first_and_removed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "recipe.yaml plan.json metrics.jsonl", OWN)
    removed: list[str] = []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path: (removed.append(path.name), unlink(path)))

    def refused() -> None:
        with new_run(tmp_path, OWN) as run:
            assert len(removed) == 3
            assert "unfinished.json" not in removed
            run.plan.write_text("")
            raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        refused()
    assert removed[3:] == ["plan.json", "unfinished.json", ".ranklet-lock.tmp"]


def test_whoever_was_faster_is_not_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may begin and end between the first look and the lock."""
    real = module._outermost_missing

    def slowly(folder: Path) -> Path:
        fill(folder, "plan.json", OTHER)
        return real(folder)

    monkeypatch.setattr(module, "_outermost_missing", slowly)
    monkeypatch.setattr(module, "check_vacant", lambda *given: check(*given))
    looks: list[int] = []

    def check(folder: Path, mark: Any) -> None:
        looks.append(1)
        if len(looks) == 2:
            monkeypatch.setattr(module, "_outermost_missing", real)
            check_vacant(folder, mark)

    with pytest.raises(RunError, match=ANOTHER):
        enter(tmp_path / "run", OWN)
    assert (tmp_path / "run" / "plan.json").exists()


def test_a_finished_run_has_neither_mark_nor_checkpoints(tmp_path: Path) -> None:
    fill(tmp_path, "checkpoints/", OWN)
    with new_run(tmp_path, OWN, continued=True) as run:
        run.certificate.write_text("{}")
    assert os.listdir(tmp_path) == ["certificate.json"]


def test_a_continued_run_keeps_what_it_builds_on(tmp_path: Path) -> None:
    kept = ("recipe.yaml", "plan.json", "metrics.jsonl", "checkpoints", "unfinished.json")
    fill(tmp_path, " ".join(kept[:4]) + " report.html .ranklet-0123.tmp", OWN)
    with new_run(tmp_path, OWN, continued=True):
        assert sorted(os.listdir(tmp_path)) == sorted((*kept, Run(tmp_path).lock.name))
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, TerminatedError])
@pytest.mark.parametrize(
    ("write", "state", "left"),
    [
        (lambda run: None, "no run was finished", []),
        (
            lambda run: (run.checkpoints / "step-00000002").mkdir(parents=True),
            "the same command then continues the training",
            ["checkpoints", "unfinished.json"],
        ),
        (
            lambda run: run.adapter.mkdir(),
            "the trained adapter is whole: {}/adapter",
            ["adapter", "unfinished.json"],
        ),
        (
            lambda run: run.certificate.write_text("{}"),
            "the run is finished: {}",
            ["certificate.json"],
        ),
    ],
)
def test_an_interrupt_stays_one_and_says_what_there_is(
    kind: type[KeyboardInterrupt],
    write: Callable[[Run], Any],
    state: str,
    left: list[str],
    tmp_path: Path,
) -> None:
    def interrupted() -> None:
        with new_run(tmp_path, OWN) as run:
            write(run)
            raise kind

    with pytest.raises(kind) as caught:
        interrupted()
    assert str(caught.value) == state.format(tmp_path)
    assert type(caught.value) is kind
    assert sorted(os.listdir(tmp_path)) == left


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom ranklet.run.new_run import new_run\n"
        f"with new_run(Path(sys.argv[1]), {OWN!r}) as run:\n"
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
    with pytest.raises(RunError, match="another process trains there; wait"):
        enter(folder, OWN)
    assert (folder / "plan.json").read_text() == "theirs"
    other.kill()
    other.communicate()
    with new_run(folder, OWN) as run:  # the lock went with its process
        assert not run.plan.exists()
    assert os.listdir(folder) == ["unfinished.json"]


def test_a_file_system_without_locks_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lock: object, timeout: float) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("ranklet.run.new_run.FileLock.acquire", refuse)
    with new_run(tmp_path / "run", OWN) as run:
        run.plan.write_text("")
    assert sorted(os.listdir(tmp_path / "run")) == ["plan.json", "unfinished.json"]


def test_a_refused_disk_leaves_no_folder(tmp_path: Path) -> None:
    def fill_disk() -> None:
        with new_run(tmp_path / "a" / "b", OWN) as run:
            run.plan.write_text("")
            raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        fill_disk()
    assert os.listdir(tmp_path) == []


# A folder that nobody named


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_starts_at_the_same_time_have_folders_of_their_own(workplace: Path) -> None:
    def start(_: int) -> Path:
        with chosen_folder(None, "mine") as folder:
            assert os.listdir(folder) == []
            return folder

    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(start, range(16)))
    assert len(set(folders)) == 16
    names = {"mine", *(f"mine-{number}" for number in range(2, 17))}
    assert {folder.relative_to(RUNS_FOLDER).name for folder in folders} == names


@pytest.mark.parametrize("others", [(), ("runs",), ("runs", "runs/mine")])
def test_a_folder_in_which_nothing_begins_is_removed(
    workplace: Path, others: tuple[str, ...]
) -> None:
    for name in others:
        Path(name).mkdir()

    def fail() -> None:
        with chosen_folder(None, "mine"):
            raise RunError("no such file")

    with pytest.raises(RunError, match="no such file"):
        fail()
    assert sorted(str(path) for path in Path().rglob("*")) == list(others)


def test_a_named_folder_is_not_made(workplace: Path) -> None:
    with chosen_folder("here", "mine") as folder:
        assert folder == Path("here")
    assert os.listdir() == []


def test_no_folder_for_runs(workplace: Path) -> None:
    Path("runs").write_text("")
    refusal = "cannot write runs/mine: not a directory; choose another"
    with pytest.raises(RunError, match=refusal), chosen_folder(None, "mine"):
        raise AssertionError
