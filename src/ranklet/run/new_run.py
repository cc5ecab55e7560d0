"""The folder of a new run: chosen, locked, marked, and emptied only where its own mark stands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ranklet.errors import RunError
from ranklet.files import is_temporary
from ranklet.run.folder import RUNS_FOLDER, Run, read_json, write_json
from ranklet.training.checkpoints import checkpoint_folders


@contextmanager
def chosen_folder(out: str | Path | None, name: str) -> Iterator[Path]:
    """Take the folder that a user names, or make one below `runs/`, so that two starts have two.

    Args:
        out: What the user names, or None.
        name: Of the new folder; `name-2`, `name-3`, ... where it exists.

    Yields:
        The folder. A new one is removed again if the block ends with an error and it is empty.

    Raises:
        RunError: It cannot be made.
    """
    if out is not None:
        yield Path(out)
        return
    existed = RUNS_FOLDER.exists()
    folder = _new_folder(name)
    try:
        yield folder
    except BaseException:
        _remove_empty(folder, (folder if existed else RUNS_FOLDER).absolute())
        raise


def check_vacant(folder: Path, mark: Mapping[str, Any] | None = None) -> None:
    """Refuse a folder that a new run must not use.

    Args:
        folder: It may be missing, or empty but for what an interrupted write left.
        mark: The mark that an unfinished run there must carry; None: there must be none.

    Raises:
        RunError: It holds a finished run, the beginning of another, or anything that is no run.
    """
    # os.path, unlike Path, answers False for names that no file system takes.
    run = Run(folder)
    if os.path.isfile(run.certificate):
        raise RunError(f"{folder}: holds a finished run; choose another --out, or remove it")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise RunError(f"{folder}: is a file; choose another --out")
    if os.path.isdir(folder):
        _check_own(run, mark)
    parent = _outermost_missing(folder).parent
    if not parent.is_dir():
        raise RunError(f"{folder}: {parent} is a file; choose another --out")


def _check_own(run: Run, mark: Mapping[str, Any] | None) -> None:
    is_marked = run.mark.is_file()
    names = {
        entry.name
        for entry in os.scandir(run.folder)
        # What lies in a folder without a mark may be anybody's.
        if not (is_temporary(entry.name) and (is_marked or entry.is_file(follow_symlinks=False)))
    }
    if names and (not is_marked or names - run.own_names):
        raise RunError(
            f"{run.folder}: holds files that are not an unfinished run's; choose another --out"
        )
    if names and read_json(run.mark) != mark:
        raise RunError(
            f"{run.folder}: holds an unfinished run of another recipe; choose another --out, or "
            "remove it"
        )


@contextmanager
def new_run(folder: Path, mark: Mapping[str, Any], continued: bool = False) -> Iterator[Run]:
    """Create the folder of a new run; what its own unfinished beginning left there is removed.

    Where the disk refuses a file, or Ctrl-C comes before there is anything to keep, everything
    that was written is removed again. A checkpoint or an adapter that is already whole stays. While
    the block runs, the folder is locked, so that the same command given twice harms no training.

    Args:
        folder: Its folder, which may exist.
        mark: What the run comes from, JSON values; only a folder with an equal one is emptied.
        continued: The run goes on from its checkpoints: they stay, and what they build on.

    Yields:
        The run to fill; its certificate comes last.

    Raises:
        RunError: The folder is taken or cannot be created.
        KeyboardInterrupt: Ctrl-C; says what there is now.
    """
    check_vacant(folder, mark)
    existed = os.path.exists(folder)
    outermost = _outermost_missing(folder)
    run = Run(folder)
    reused = (run.checkpoints, run.metrics, run.events, run.recipe, run.plan)
    try:
        with locked_folder(run.folder, run.lock, "trains"):
            check_vacant(folder, mark)  # whoever had the lock before may have filled it
            if not run.mark.is_file():
                write_json(run.mark, dict(mark))
            try:
                _make_empty(run, (run.mark, *(reused if continued else ())))
                yield run
                _finish(run)
            except (RunError, KeyboardInterrupt) as error:
                _leave(run, error)
                raise
    except (RunError, KeyboardInterrupt):
        if not existed:
            _remove_empty(folder, outermost)
        raise


@contextmanager
def locked_folder(folder: Path, path: Path, works: str) -> Iterator[None]:
    """Make a folder and lock it; a lock opens when its process ends, however it ends.

    Args:
        folder: The folder.
        path: The file that is locked; it is there while the block runs.
        works: What another process does there, such as trains.

    Raises:
        RunError: The folder cannot be made, or another process has the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        message = f"{folder}: another process {works} there; wait for it or choose another --out"
        raise RunError(message) from error
    except (OSError, NotImplementedError):
        pass  # a folder that takes no file says so at the first one; a file system without locks
    try:
        yield
    finally:
        # Before it opens: a file with this name may be another's afterwards.
        with suppress(OSError):  # Windows removes it when it opens
            path.unlink()
        lock.release()


def _finish(run: Run) -> None:
    if run.is_finished:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
        with suppress(OSError):
            run.mark.unlink()


def _leave(run: Run, error: BaseException) -> None:
    """Remove what a run wrote that ended early, unless there is something whole to keep.

    Raises:
        RunError: There is; says what, and how to go on.
        KeyboardInterrupt: The same after Ctrl-C.
    """
    is_interrupt = isinstance(error, KeyboardInterrupt)
    if run.is_finished:
        _finish(run)
        state = f"the run is finished: {run.folder}"
    elif os.path.exists(run.adapter):
        state = f"the trained adapter is whole: {run.adapter}"
    elif checkpoint_folders(run.checkpoints):
        state = "the same command then continues the training"
    else:
        with suppress(RunError):
            _make_empty(run)
        state = "no run was finished" if is_interrupt else ""
    if is_interrupt:
        raise type(error)(state) from error
    if state:
        raise RunError(f"{error}; {state}") from error


def _new_folder(name: str) -> Path:
    for number in count(1):
        folder = RUNS_FOLDER / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_writable(folder, error) from error
        return folder
    raise AssertionError("unreachable")


def _remove_empty(folder: Path, outermost: Path) -> None:
    """Remove a folder and those above it up to another, as far as they are empty."""
    for path in (folder.absolute(), *folder.absolute().parents):
        with suppress(OSError):
            path.rmdir()
        if path == outermost:
            return


def _outermost_missing(folder: Path) -> Path:
    missing = folder.absolute()
    while not os.path.lexists(missing.parent):
        missing = missing.parent
    return missing


def _make_empty(run: Run, reused: Sequence[Path] = ()) -> None:
    try:
        # The mark goes last, so that an end meanwhile leaves what is still known as a run.
        for path in sorted(run.folder.iterdir(), key=lambda path: path == run.mark):
            if path in (*reused, run.lock):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise _not_writable(run.folder, error) from error


def _not_writable(folder: Path, error: OSError) -> RunError:
    reason = (error.strerror or str(error)).lower()
    return RunError(f"cannot write {folder}: {reason}; choose another --out")
