"""One point of the space that is tried, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TrialState = Literal["waiting", "paused", "finished", "diverged", "failed", "over budget"]
"""waiting: asked for, or running. paused: at a rung, for good unless it is promoted. finished:
trained to its end. diverged: its loss was no longer a number. failed: it raised an exception.
over budget: it trains too much with any rank, and was never trained."""

Point = Mapping[str, Any]
"""Values by dotted field of the recipe, such as {"training.learning_rate": 1e-3}."""


@dataclass(frozen=True)
class Trial:
    """One point of the space.

    Attributes:
        number: From 0 on, in the order in which they were asked for; 0 is the recipe as it is.
        point: What the sampler said, by dotted field; of trial 0 what the recipe has there.
        settings: The same after ranks were made to fit the budget: what is trained.
        parameters: Parameters that it trains, head included; of one over budget, those it would.
        state: How far it has come.
        values: Best validation so far when it reached each rung, first to last; the last rung is
            the end of the training. Higher is better.
        steps: Optimizer steps taken.
        seconds: Spent on it, together.
        error: Last line of what it raised; empty unless it failed.
        traceback: The whole of it.
    """

    number: int
    point: Point
    settings: Point
    parameters: int
    state: TrialState = "waiting"
    values: tuple[float, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    error: str = ""
    traceback: str = ""

    @property
    def value(self) -> float | None:
        """Its best validation; None before the first rung."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """Whether the winner beats the recipe as it was, on fresh seeds.

    Attributes:
        beats_default: The interval of the difference lies above 0.
        words: One sentence: what to do, with the difference and its interval.
        difference: Winner minus default, paired by seed; None where nothing was trained again, or
            the default won.
        winner: The winner's validation on each fresh seed.
        default: The default's on the same.
    """

    beats_default: bool
    words: str
    difference: Estimate | None = None
    winner: Mapping[int, float] = field(default_factory=dict)
    default: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        metric: Validation figure that decides, such as accuracy.
        budget: Most parameters that a trial may train.
        rungs: Share of the full training at which trials pause, ascending; the last is 1.
        trials: All of them, by number.
        best: Number of the winner; None where no trial finished.
        corrected: The winner's score without the luck of having been the maximum; None where fewer
            than two trials finished.
        verdict: On the winner beside the default.
        frontier: Numbers of trials that no other beats in both accuracy and parameters, by
            parameters ascending.
        smallest: Number of the smallest trial of the frontier that is not worse than the best by a
            paired test; None without a frontier.
        seconds: The whole search, wall-clock.
        counters: What was shared between trials, such as {"texts tokenized": 5000}.
    """

    metric: str
    budget: int
    rungs: tuple[float, ...]
    trials: tuple[Trial, ...] = ()
    best: int | None = None
    corrected: Estimate | None = None
    verdict: Verdict = Verdict(False, "keep the default for now: no trial came to its end")
    frontier: tuple[int, ...] = ()
    smallest: int | None = None
    seconds: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
