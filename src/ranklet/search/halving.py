"""Successive halving: every trial trains a little, and the best go on from where they paused.

Jamieson and Talwalkar 2016 (arXiv:1502.07943), section 3, with one change: a trial that goes on
continues from its checkpoint, so that no step is taken twice. All trials of a rung are ranked
together, so that which ones go on depends on no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from ranklet.search.trial import Trial

# Of the trials at a rung, one in so many goes on.
ETA = 3

# Shares of its training at which a trial pauses; the last is its end.
SHARES = (1 / 9, 1 / 3, 1.0)


def rungs_of(validated: Sequence[float]) -> tuple[float, ...]:
    """Return the shares at which trials pause, by where validations stand.

    A share whose first validation is also the next one's would rank the same figures twice.

    Args:
        validated: Shares of a training after which it validates, ascending; the last is 1.
    """

    def first(share: float) -> float:
        return next(at for at in validated if at >= share - 1e-9)

    firsts = [first(share) for share in SHARES]
    following = [*firsts[1:], None]
    return tuple(
        share for share, own, next_ in zip(SHARES, firsts, following, strict=True) if own != next_
    )


def promoted(trials: Sequence[Trial], rung: int, asked_for: int) -> tuple[int, ...]:
    """Return the numbers of the trials that go on from a rung, the best first.

    The recipe as it is goes on from every rung: the winner is to be compared with it.

    Args:
        trials: All of the search.
        rung: Counted from 0.
        asked_for: Trials that the rung is to have; one in `ETA` of them goes on.
    """
    here = sorted(
        (trial for trial in trials if len(trial.values) > rung),
        key=lambda trial: (-trial.values[rung], trial.number),
    )
    best = [trial.number for trial in here[: how_many_go_on(asked_for)]]
    first = [trial.number for trial in here if trial.number == 0]
    return tuple(dict.fromkeys([*first, *best]))


def how_many_go_on(trials: int) -> int:
    """Return how many of some trials at a rung go on: one in `ETA`, at least one."""
    return max(1, trials // ETA)
