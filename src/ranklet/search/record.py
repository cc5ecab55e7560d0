"""The record of a search on disk: a line for each change of a trial, written by one process.

The last line of a trial is its state, so a search that was killed goes on from the file. A line
that was cut while it was written is taken off, said, and what it stated is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ranklet.errors import RunError
from ranklet.search.trial import Trial


class SearchRecord:
    """The trials of a search, in memory and in a file.

    Args:
        path: The file; made where it is missing.
        report: Receives a line where the file ends in a torn line.

    Raises:
        RunError: It cannot be read or written, or a line but the last is broken.
    """

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self._path = path
        self._trials = {trial.number: trial for trial in _read(path, report)}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials, by number."""
        return tuple(self._trials[number] for number in sorted(self._trials))

    def __getitem__(self, number: int) -> Trial:
        """Return a trial."""
        return self._trials[number]

    def __len__(self) -> int:
        """Return how many trials there are."""
        return len(self._trials)

    def keep(self, trial: Trial) -> None:
        """Write the state of a trial, flushed to the disk.

        Raises:
            RunError: The disk refuses it.
        """
        line = json.dumps(asdict(trial), sort_keys=True) + "\n"
        try:
            with self._path.open("ab") as stream:
                stream.write(line.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise RunError(
                f"cannot write {self._path}: {(error.strerror or '').lower()}"
            ) from error
        self._trials[trial.number] = trial


def _read(path: Path, report: Callable[[str], None]) -> list[Trial]:
    if not path.is_file():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    *lines, torn = content.split(b"\n")
    if torn:
        report(f"warning: {path.name}: a torn last line is taken off, and what it said done again")
        with path.open("r+b") as stream:
            stream.truncate(len(content) - len(torn))
    return [_trial(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def _trial(line: bytes, where: str) -> Trial:
    try:
        values: dict[str, Any] = json.loads(line)
        return Trial(**{**values, "values": tuple(values["values"])})
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{where}: is no trial; restore the file, or choose another --out"
        ) from error
