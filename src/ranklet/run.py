"""Run: the folder of one training. Its layout is the table of paths below, used by everybody."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ranklet.errors import RunError
from ranklet.files import write_atomically


@dataclass(frozen=True)
class Run:
    """The folder of one training.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    @property
    def plan(self) -> Path:
        """Planned parameters, by module."""
        return self.folder / "plan.json"

    @property
    def certificate(self) -> Path:
        """Counted parameters, three ways; written last, so that it marks a finished run."""
        return self.folder / "certificate.json"

    @property
    def environment(self) -> Path:
        """Versions, machine, data, times."""
        return self.folder / "environment.json"

    @property
    def metrics(self) -> Path:
        """Every training and validation record, one JSON object a line."""
        return self.folder / "metrics.jsonl"

    @property
    def adapter(self) -> Path:
        """The trained classifier, in PEFT's format."""
        return self.folder / "adapter"

    @property
    def evaluation(self) -> Path:
        """Figures of the evaluation as JSON, one file a split."""
        return self.folder / "evaluation"

    @property
    def figures(self) -> Path:
        """Pictures, PNG and SVG."""
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder / "report.html"

    @property
    def is_finished(self) -> bool:
        """Whether the training ended and everything was written."""
        return self.certificate.is_file()


def check_vacant(folder: Path) -> None:
    """Refuse a folder that a new run must not use.

    Raises:
        RunError: It holds a finished run or anything that is not a run.
    """
    run = Run(folder)
    if run.is_finished:
        raise RunError(f"{folder}: holds a finished run; choose another --out, or remove it")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not run.recipe.is_file():
        raise RunError(f"{folder}: is not empty and holds no run; choose another --out")
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise RunError(f"{folder}: {parent} is a file; choose another --out")


def create_run(folder: Path) -> Run:
    """Create the folder of a new run; what an unfinished run left there is removed.

    Raises:
        RunError: The folder is taken or cannot be created.
    """
    check_vacant(folder)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be created ({error.strerror}); choose another") from error
    return Run(folder)


def open_run(folder: Path) -> Run:
    """Open the folder of a finished run.

    Raises:
        RunError: There is no finished run.
    """
    run = Run(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; name the folder of a run (ranklet train --out)")
    if not run.is_finished:
        found = "an unfinished run" if run.recipe.is_file() else "no run"
        raise RunError(f"{folder}: holds {found}; name the folder of a finished run")
    return run


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


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        RunError: The file is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: not readable as JSON ({type(error).__name__})") from error
