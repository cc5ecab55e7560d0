"""The folder of a search: every path of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ranklet.run.folder import Run


@dataclass(frozen=True)
class SearchFolder:
    """The folder of a search.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def mark(self) -> Path:
        """What the search is of: recipe, space, trials, seed; only an equal one goes on."""
        return self.folder / "search.json"

    @property
    def record(self) -> Path:
        """Every change of a trial, one JSON object a line."""
        return self.folder / "trials.jsonl"

    @property
    def result(self) -> Path:
        """What was found, once the search has ended."""
        return self.folder / "tune.json"

    @property
    def best(self) -> Path:
        """The recipe of the winner, complete."""
        return self.folder / "best.yaml"

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.folder / "tune.html"

    @property
    def lock(self) -> Path:
        """Held while a search is at work here."""
        return self.folder / ".ranklet-lock.tmp"

    def trial(self, number: int) -> Run:
        """The run of a trial."""
        return Run(self.folder / "trials" / f"{number:04d}")

    def again(self, name: str, seed: int) -> Run:
        """The run of the winner, or of the recipe as it was, on a fresh seed."""
        return Run(self.folder / "fresh-seeds" / f"{name}-{seed}")
