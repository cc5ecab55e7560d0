"""Differences in words: how large they are, and what would tell them from chance."""

from __future__ import annotations

import math

from ranklet.evaluation.comparison.significance import Difference, RequiredSample
from ranklet.evaluation.intervals import Metric
from ranklet.evaluation.wording import digits_for


def points(difference: float, rows: int) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.{digits_for(rows)}f}".replace("-", "\N{MINUS SIGN}")


def p_in_words(p: float) -> str:
    """Write a p with two digits."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def accuracy_in_words(first: str, second: str, difference: Difference, name: str | None) -> str:
    """Say what one system has over another in accuracy, called by a name where it has to be."""
    value = difference.accuracy.value
    order = f"{first} is {_size(difference.accuracy, difference.rows)} {second}"
    where = f"{f' in {name}' if name else ''} on {difference.rows:,} rows"
    if difference.seeds != (1, 1):
        left, right = difference.seeds
        where += f", {left} {'seeds each' if left == right else f'and {right} seeds'}"
    bounds = _bounds(difference.accuracy, difference.rows)
    return f"{order if value else f'{first} and {second} are equal'}{where} {bounds}"


def f1_in_words(difference: Difference) -> str:
    """Say what the first has over the second in macro F1, after the same of accuracy."""
    f1, rows = difference.f1_macro, difference.rows
    return f"but its macro F1 is {_size(f1, rows) if f1.value else 'the same'} {_bounds(f1, rows)}"


def comment(
    difference: Difference, same_recipe: bool, is_clear: bool, needed: RequiredSample | None
) -> str:
    """Say what to mind about a verdict, or what it would take to reach one."""
    if same_recipe:
        which = "these two trained models do differ, but " if is_clear else ""
        return (
            f"; {which}the recipe is one and only the seed differs, so neither is to be preferred"
        )
    if is_clear and difference.seeds == (1, 1):
        return "; between these two trained models: with one seed each, it may still be the seed"
    return "" if needed is None else f"; {_needed_in_words(needed, difference.seeds)} would tell"


def _size(metric: Metric, rows: int) -> str:
    side = "above" if metric.value > 0 else "below"
    return f"{abs(100 * metric.value):.{digits_for(rows)}f} points {side}"


def _bounds(metric: Metric, rows: int) -> str:
    low, high = (points(bound, rows) for bound in metric.interval)
    return f"[{low}, {high}]"


def _needed_in_words(needed: RequiredSample, seeds: tuple[int, int]) -> str:
    ways = []
    if needed.seeds is not None:
        ways.append(f"about {max(needed.seeds, max(seeds) + 1):,} seeds each")
    if needed.rows is not None:
        ways.append(f"about {_two_digits_for(needed.rows):,} rows")
    return " or ".join(ways) or "only more seeds and more rows together"


def _two_digits_for(number: int) -> int:
    step = int(10 ** max(len(str(number)) - 2, 0))
    return math.ceil(number / step) * step
