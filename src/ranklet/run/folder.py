"""The folder of one training: every path of it stands in `Run`, and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ranklet.display import Display, shows_itself
from ranklet.errors import RunError
from ranklet.files import is_temporary, read_json_object, write_atomically
from ranklet.local_paths import LOCAL_FILE
from ranklet.training.checkpoints import checkpoint_folders


@dataclass(frozen=True)
class _PathBelow:
    """What a folder has below it, under a fixed name."""

    name: str

    def __get__(self, owner: Run | SeedFolder, kind: type) -> Path:
        return owner.folder / self.name


@shows_itself
@dataclass(frozen=True)
class Run:
    """The folder of one training.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    recipe = _PathBelow("recipe.yaml")
    """The resolved recipe."""
    plan = _PathBelow("plan.json")
    """Planned parameters, by module."""
    certificate = _PathBelow("certificate.json")
    """Counted parameters, three ways; written last, so that it marks a finished run."""
    manifest = _PathBelow("manifest.json")
    """SHA-256 of the files that the certificate leaves out, since a clock is in them."""
    environment = _PathBelow("environment.json")
    """Versions, machine, data, times."""
    data = _PathBelow("data.json")
    """Lengths and labels of the texts, by split."""
    metrics = _PathBelow("metrics.jsonl")
    """Every training and validation record, one JSON object a line."""
    adapter = _PathBelow("adapter")
    """The trained classifier, in PEFT's format."""
    evaluation = _PathBelow("evaluation")
    """Everything that was measured: the files below, by split, and those of all splits."""
    baselines = _PathBelow("evaluation/baselines.json")
    """Figures of simple classifiers on the same splits."""
    stress = _PathBelow("evaluation/stress.json")
    """What shifts of the test texts did to the classifier."""
    figures = _PathBelow("figures")
    """Pictures, PNG and SVG."""
    events = _PathBelow("tensorboard")
    """TensorBoard's files, where they were asked for."""
    report = _PathBelow("report.html")
    """The page to look at."""
    checkpoints = _PathBelow("checkpoints")
    """What an interrupted training continues from; a finished run has none."""
    local = _PathBelow(LOCAL_FILE)
    """Whole paths of what the other files name shortened; not for sharing."""
    lock = _PathBelow(".ranklet-lock.tmp")
    """Held while a process trains here; by its name a temporary file, as it is."""

    def evaluation_of(self, split: str) -> Path:
        """Every figure of a split."""
        return self.evaluation / f"{split}.json"

    def curves(self, split: str) -> Path:
        """Points of the curves of a split."""
        return self.evaluation / f"{split}_curves.json"

    def predictions(self, split: str) -> Path:
        """What was said about each row of a split."""
        return self.evaluation / f"{split}_predictions.csv"

    def errors(self, split: str) -> Path:
        """The rows of a split that were predicted wrong, with their texts."""
        return self.evaluation / f"{split}_errors.csv"

    def importance(self, split: str) -> Path:
        """The words behind the errors of a split."""
        return self.evaluation / f"{split}_importance.json"

    @property
    def is_unfinished(self) -> bool:
        """Whether the folder holds the beginning of a run and nothing that is not a run's.

        The plan is what is written first and removed last, so that a run which ended at any moment
        is known as one.
        """
        described = (self.recipe, self.local, self.plan, self.environment, self.data)
        files = (*described, self.metrics, self.report, self.manifest)
        folders = (self.adapter, self.evaluation, self.figures, self.events, self.checkpoints)
        names = {path.name for path in (*files, *folders)}
        listed = set(os.listdir(self.folder)) if os.path.isdir(self.folder) else set()
        lasting = {name for name in listed if not is_temporary(name)}
        return bool(listed) and lasting <= names and (self.plan.name in lasting or not lasting)

    @property
    def is_finished(self) -> bool:
        """Whether the training ended and everything was written."""
        return self.certificate.is_file()

    def display(self) -> Display:
        """Return what there is of the run as a table."""
        state = "finished" if self.is_finished else "not finished"
        named = {
            "report.html": (self.report, "the page to look at"),
            "adapter/": (self.adapter, "the trained classifier, in PEFT's format"),
            "evaluation/": (self.evaluation, "figures, one file a split"),
            "recipe.yaml": (self.recipe, "the resolved recipe"),
            "plan.json": (self.plan, "planned parameters, by module"),
            "certificate.json": (self.certificate, "counted parameters and hashes"),
            "checkpoints/": (self.checkpoints, "what an interrupted training continues from"),
        }
        rows = [(name, what) for name, (path, what) in named.items() if path.exists()]
        return Display(f"Run {self.folder}, {state}", ("file", "holds"), rows)


def check_vacant(folder: Path) -> None:
    """Refuse a folder that a new run must not use.

    Raises:
        RunError: It holds a finished run or anything that is not a run.
    """
    # os.path, unlike Path, answers False for names that no file system takes.
    run = Run(folder)
    if os.path.isfile(run.certificate):
        raise RunError(f"{folder}: holds a finished run; choose another --out, or remove it")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise RunError(f"{folder}: is a file; choose another --out")
    if os.path.isdir(folder) and os.listdir(folder) and not run.is_unfinished:
        raise RunError(f"{folder}: holds files that are not a run's; choose another --out")
    parent = _outermost_missing(folder).parent
    if not parent.is_dir():
        raise RunError(f"{folder}: {parent} is a file; choose another --out")


@contextmanager
def new_run(folder: Path, continued: bool = False) -> Iterator[Run]:
    """Create the folder of a new run; what an unfinished run left there is removed.

    Where the disk refuses a file, or Ctrl-C comes before there is anything to keep, everything
    that was written is removed again. A checkpoint or an adapter that is already whole stays. While
    the block runs, the folder is locked, so that the same command given twice harms no training.

    Args:
        folder: Its folder, which may exist.
        continued: The run goes on from its checkpoints: they stay, and what they build on.

    Yields:
        The run to fill.

    Raises:
        RunError: The folder is taken or cannot be created.
    """
    check_vacant(folder)
    existed = os.path.exists(folder)
    outermost = _outermost_missing(folder)
    run = Run(folder)
    reused = (run.checkpoints, run.metrics, run.events, run.recipe, run.plan)
    try:
        with _locked(run):
            try:
                _make_empty(run, reused if continued else ())
                yield run
            except (RunError, KeyboardInterrupt) as error:
                _leave(run, error)
                raise
    except (RunError, KeyboardInterrupt):
        if not existed:
            _remove_empty(folder, outermost)
        raise


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Make the folder of a run and lock it; a lock opens when its process ends, however it ends."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(run.folder, error) from error
    lock = FileLock(run.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        message = f"{run.folder}: another process trains there; wait for it or choose another --out"
        raise RunError(message) from error
    except (OSError, NotImplementedError):
        pass  # a folder that takes no file says so at the first one; a file system without locks
    try:
        yield
    finally:
        # Before it opens: a file with this name may be another's afterwards.
        with suppress(OSError):  # Windows removes it when it opens
            run.lock.unlink()
        lock.release()


def _leave(run: Run, error: BaseException) -> None:
    """Remove what a training wrote that ended early, unless there is something whole to keep.

    Raises:
        RunError: There is; says what, and how to go on.
    """
    if os.path.exists(run.adapter):
        stopped_by = str(error) or "interrupted"
        raise RunError(f"{stopped_by}; the trained adapter is whole: {run.adapter}") from error
    if checkpoint_folders(run.checkpoints):
        if isinstance(error, RunError):
            raise RunError(f"{error}; the same command then continues the training") from error
        return
    with suppress(RunError):
        _make_empty(run)


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
        # The plan goes last, see `is_unfinished`.
        for path in sorted(run.folder.iterdir(), key=lambda path: path == run.plan):
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


def open_run(folder: Path) -> Run:
    """Open the folder of a finished run.

    Raises:
        RunError: There is no finished run.
    """
    run = Run(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; name the folder of a run (ranklet train --out)")
    if not run.is_finished:
        content = "an unfinished run" if run.is_unfinished else "no run"
        raise RunError(f"{folder}: holds {content}; name the folder of a finished run")
    return run


@dataclass(frozen=True)
class SeedFolder:
    """The folder of one recipe trained with several seeds.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    recipe = _PathBelow("recipe.yaml")
    """The recipe of all runs."""
    summary = _PathBelow("seeds.json")
    """Seeds and figures of all runs; written last, so that it marks such a folder."""

    def run(self, seed: int) -> Run:
        """The run of one seed."""
        return Run(self.folder / f"seed-{seed}")


def free_folder(parent: Path, name: str) -> Path:
    """Return the first of `name`, `name-2`, `name-3`, ... that does not exist below a folder."""
    number, folder = 1, parent / name
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run.

    Raises:
        RunError: The file is missing or broken.
    """
    return read_json_object(path, RunError)
