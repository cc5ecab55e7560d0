"""`metrics.jsonl` of a run: written while it trains, and read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from ranklet.errors import RankletError, RunError
from ranklet.evaluation.report.figures import Record
from ranklet.run.folder import Run


def read_records(run: Run) -> list[Record]:
    """Read every training and validation record of a run.

    Raises:
        RunError: The file is missing or broken.
    """
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise RunError(f"{run.metrics}: not readable ({type(error).__name__})") from error


@dataclass(frozen=True)
class Records:
    """`metrics.jsonl` while it is written; its state is its length, for checkpoints."""

    log: TextIO

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record as one line."""
        self.log.write(json.dumps(record) + "\n")

    def state_dict(self) -> dict[str, int]:
        """Return the length in bytes."""
        os.fsync(self.log.fileno())
        return {"bytes": os.fstat(self.log.fileno()).st_size}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Cut off what came later."""
        self.log.truncate(state_dict["bytes"])


@contextmanager
def open_records(run: Run) -> Iterator[Records]:
    """Open `metrics.jsonl` of a run; records are added to those that are there.

    Raises:
        RunError: A record cannot be written.
    """
    try:
        with run.metrics.open("a", encoding="utf-8", buffering=1) as log:
            yield Records(log)
    except RankletError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"cannot write {run.metrics}: {reason}; free some space") from error
