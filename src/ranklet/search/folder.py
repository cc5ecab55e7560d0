"""The folder of a search: every path of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ranklet.run.folder import PathBelow, Run


@dataclass(frozen=True)
class SearchFolder:
    """The folder of a search.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    mark = PathBelow("search.json")
    """What the search is of: recipe, space, trials, seed; only an equal one goes on."""
    record = PathBelow("trials.jsonl")
    """Every change of a trial, one JSON object a line."""
    result = PathBelow("tune.json")
    """What was found, once the search has ended."""
    best = PathBelow("best.yaml")
    """The recipe of the winner, complete."""
    page = PathBelow("tune.html")
    """The page to look at."""
    lock = PathBelow(".ranklet-lock.tmp")
    """Held while a search is at work here."""

    def trial(self, number: int) -> Run:
        """The run of a trial."""
        return Run(self.folder / "trials" / f"{number:04d}")

    def again(self, name: str, seed: int) -> Run:
        """The run of the winner, or of the recipe as it was, on a fresh seed."""
        return Run(self.folder / "fresh-seeds" / f"{name}-{seed}")
