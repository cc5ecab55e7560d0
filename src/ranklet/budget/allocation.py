"""Allocation: integer ranks for many modules under one hard budget.

Every mode buys one unit of rank at a time, the one worth most first. Modes differ only in what a
unit is worth:

- `uniform`: 1 / k for the k-th unit of a module, so that all ranks rise together;
- `by_depth`: (layer + 1) / k, so that ranks are proportional to layer + 1;
- `measured`: gain per parameter of the k-th unit, see `budget.gains`.

1 / k is the divisor method of Jefferson and D'Hondt: seats in proportion to a weight.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Worth = Callable[["Candidate", int], float]
"""(candidate, k) -> worth of its k-th unit of rank, k from 1; never rises with k."""


@dataclass(frozen=True)
class Candidate:
    """A module that may get an adapter.

    Attributes:
        module: Full name.
        cost: Parameters that each unit of rank costs.
        max_rank: Largest rank that it may get, at least 1.
        layer: Index of its layer, from 0; what lies below the layers counts as layer 0.
        entry: Parameters that the first unit costs besides, such as a bias that then trains.
    """

    module: str
    cost: int
    max_rank: int
    layer: int
    entry: int = 0

    def unit_cost(self, unit: int) -> int:
        """Return what the k-th unit of rank costs, k from 1."""
        return self.cost + (self.entry if unit == 1 else 0)


def uniform(candidate: Candidate, unit: int) -> float:
    """Return what a unit is worth where all modules are alike."""
    del candidate
    return 1 / unit


def by_depth(candidate: Candidate, unit: int) -> float:
    """Return what a unit is worth where ranks are to be proportional to layer + 1."""
    return (candidate.layer + 1) / unit


def by_gain(gains: Mapping[str, Sequence[float]]) -> Worth:
    """Return what a unit is worth by measured gains.

    Args:
        gains: For each module, the gain of its first, second, ... unit of rank, which must not
            rise. Units behind the last one gain nothing.
    """

    def worth(candidate: Candidate, unit: int) -> float:
        own = gains[candidate.module]
        return own[unit - 1] / candidate.unit_cost(unit) if unit <= len(own) else 0.0

    return worth


def allocate(candidates: Iterable[Candidate], worth: Worth, budget: int) -> dict[str, int]:
    """Choose the rank of every module, never over the budget.

    Units are bought by falling worth until the next one is too dear; what is left then goes to
    the cheapest units that fit. So less than the cheapest unit of a module below its largest rank
    stays unused, and with a larger budget neither the parameters used nor the worth bought ever
    fall, as long as first units cost what the others do. (A single module may lose a unit: the fill
    makes way for a dearer, better one.) With worth as gain per parameter and units of equal cost no
    other choice gains more; otherwise the best choice gains less than one further unit more.

    Ties go to the lower unit, then to the higher layer, then to the name, so that neither the order
    of the candidates nor chance decides.

    Returns:
        The rank of every candidate, by name, in their order; 0: it gets no adapter.
    """
    given = tuple(candidates)
    by_name = {candidate.module: candidate for candidate in given}
    ranks = dict.fromkeys(by_name, 0)

    def next_unit(candidate: Candidate) -> tuple[float, int, int, str]:
        unit = ranks[candidate.module] + 1
        return -worth(candidate, unit), unit, -candidate.layer, candidate.module

    left = budget
    queue = [next_unit(candidate) for candidate in given]
    heapq.heapify(queue)
    while queue:
        _, unit, _, name = queue[0]
        if by_name[name].unit_cost(unit) > left:
            break
        left -= by_name[name].unit_cost(unit)
        ranks[name] = unit
        if unit < by_name[name].max_rank:
            heapq.heapreplace(queue, next_unit(by_name[name]))
        else:
            heapq.heappop(queue)
    open_modules = {name: by_name[name] for *_, name in queue}
    while open_modules:
        name = min(
            open_modules,
            key=lambda name: (by_name[name].unit_cost(ranks[name] + 1), next_unit(by_name[name])),
        )
        left -= by_name[name].unit_cost(ranks[name] + 1)
        if left < 0:
            break
        ranks[name] += 1
        if ranks[name] == by_name[name].max_rank:
            del open_modules[name]
    return ranks


def smallest_budget(candidates: Iterable[Candidate], fixed: int) -> int:
    """Return the fewest parameters that hold one unit of rank besides what trains anyway."""
    return fixed + min(candidate.unit_cost(1) for candidate in candidates)
