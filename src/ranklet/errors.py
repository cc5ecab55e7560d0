"""Every error that ranklet raises on purpose.

RankletError                       exit code of the command line
├── RecipeError(ValueError)        2   .issues
├── DataError(ValueError)          2   .source .line .column
├── AdapterError(ValueError)       2
├── BudgetExceededError(ValueError) 2  .total .budget
├── WeightsError(ValueError)       2   .missing .unexpected
├── HubError(OSError)              2
├── RunError(OSError)              2
├── MissingExtraError(ImportError) 2   .extra
├── TrainingDivergedError(RuntimeError) 1  .step
├── TrainingStoppedError(RuntimeError) 75
├── ProcessLostError(RuntimeError) 1
└── ParityError(RuntimeError)      1   .max_difference .tolerance

A message is one line: what, where, what is allowed, how to fix. `exit_code` is 2 where the user
can mend it, 75 where the same command goes on later, else 1.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class RankletError(Exception):
    """Base of every error that ranklet raises on purpose."""

    exit_code = 2


@dataclass(frozen=True)
class RecipeIssue:
    """One problem of a recipe.

    Attributes:
        where: File and line where known (`recipe.yaml:7`), else the place it came from (`--set`).
        field: Dotted name of the field, such as `training.learning_rate`; empty for the whole file.
        problem: What is wrong, what is allowed and how to fix it.
    """

    where: str
    field: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.field, self.problem) if part)


class RecipeError(RankletError, ValueError):
    """A recipe that cannot be used; carries every problem found, one line each."""

    def __init__(self, issues: Sequence[RecipeIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


class DataError(RankletError, ValueError):
    """A data file or data set that cannot be used.

    Attributes:
        source: File path or data set name.
        line: Line number in the file, counted from 1, or None.
        column: Column name, or None.
    """

    def __init__(
        self, message: str, source: str, line: int | None = None, column: str | None = None
    ) -> None:
        self.source, self.line, self.column = source, line, column
        place = source if line is None else f"{source}:{line}"
        where = place if column is None else f"{place}: column {column!r}"
        super().__init__(f"{where}: {message}")


class AdapterError(RankletError, ValueError):
    """A placement that matches nothing, or an adapter folder that cannot be used."""


class BudgetExceededError(RankletError, ValueError):
    """A plan that trains more parameters than its budget allows."""

    def __init__(self, message: str, total: int, budget: int) -> None:
        self.total, self.budget = total, budget
        super().__init__(message)


class WeightsError(RankletError, ValueError):
    """A weights file that does not fill the encoder exactly."""

    def __init__(
        self, message: str, missing: Sequence[str] = (), unexpected: Sequence[str] = ()
    ) -> None:
        self.missing, self.unexpected = tuple(missing), tuple(unexpected)
        super().__init__(message)


class HubError(RankletError, OSError):
    """A model or data set that could not be had from the hub or its cache."""


class RunError(RankletError, OSError):
    """A run folder or an output file that cannot be read or written."""


class MissingExtraError(RankletError, ImportError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f'{feature} needs an extra: pip install "ranklet[{extra}]"')


class TrainingDivergedError(RankletError, RuntimeError):
    """A training whose loss is no longer a finite number."""

    exit_code = 1

    def __init__(self, message: str, step: int) -> None:
        self.step = step
        super().__init__(message)


class TrainingStoppedError(RankletError, RuntimeError):
    """A training that a signal ended; the same command goes on from its newest checkpoint."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h, which schedulers read as "try again"


class ProcessLostError(RankletError, RuntimeError):
    """A training on several processes of which one ended, was stopped or is out of reach."""

    exit_code = 1


class ParityError(RankletError, RuntimeError):
    """Two computations that must agree and do not."""

    exit_code = 1

    def __init__(self, message: str, max_difference: float, tolerance: float) -> None:
        self.max_difference, self.tolerance = max_difference, tolerance
        super().__init__(message)


def convert_command(encoder: str | Path) -> str:
    """Return the command that writes an encoder anew in files that are read."""
    name = Path(encoder).name or Path(encoder).resolve().name
    return f"ranklet convert {shlex.quote(str(encoder))} --out {shlex.quote(f'{name}-converted')}"
