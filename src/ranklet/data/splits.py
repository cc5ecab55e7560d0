"""Validation out of train: stratified, seeded, every row in exactly one part.

Rows with one label are stratified by Hamilton's method, rows with any number of labels by that of
Sechidis et al., since most sets of labels are too rare to be strata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ranklet.data.examples import Examples, required_labels
from ranklet.errors import DataError
from ranklet.labels import Label, names_of


def split_validation(train: Examples, size: float | int, seed: int) -> tuple[Examples, Examples]:
    """Split rows off for validation.

    Each class gives rows in proportion to its size, rounded by largest remainders (Hamilton's
    method), and keeps at least one, so that a class with a single row gives none. In multi-label
    data each label does so as nearly as the others let it, see `_choose_sets`. Both parts keep the
    order of the source.

    Args:
        train: Rows with labels.
        size: Share of the rows (a float between 0 and 1), but a row for every class that can give
            one; or number of rows (an int).
        seed: Decides which rows are taken.

    Returns:
        (train, validation).

    Raises:
        DataError: No labels, or a size that the rows cannot give.
    """
    if train.multi_label:
        sets = [names_of(label) for label in required_labels(train)]
        validation = _choose_sets(sets, _validation_count(train, size, 1, 1), seed)
    else:
        rows = dict(sorted(_rows_by_name(required_labels(train)).items()))
        giving = sum(len(members) > 1 for members in rows.values())
        count = _validation_count(train, size, max(giving, 1), len(rows))
        taken = _apportion({label: len(members) for label, members in rows.items()}, count)
        validation = _choose(rows, taken, seed)
    rest = [row for row in range(len(train)) if row not in validation]
    return train.select(rest), train.select(sorted(validation))


def _rows_by_name(labels: Sequence[Label]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        for name in names_of(label):
            rows.setdefault(name, []).append(row)
    return rows


def _validation_count(train: Examples, size: float | int, least: int, kept: int) -> int:
    total = len(train)
    if isinstance(size, bool) or not (0 < size < (1 if isinstance(size, float) else math.inf)):
        message = f"data.validation is {size!r}; give a share between 0 and 1, or a number of rows"
        raise DataError(message, train.source)
    if total - kept < least:
        raise DataError(
            "no label has two rows, one to learn and one to check; add rows, or give "
            "data.validation a file (--set data.validation=FILE)",
            train.source,
        )
    count = max(round(size * total), least) if isinstance(size, float) else size
    if not least <= count <= total - kept:
        whose = f"with {kept} labels " if kept > 1 else ""
        raise DataError(
            f"data.validation {size!r} takes {count} of {total} rows; {whose}take "
            f"{least} to {total - kept}, so that both parts can hold every label",
            train.source,
        )
    return count


def _apportion(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Share out `count` rows by class size; no class gives its last row."""
    total = sum(sizes.values())
    exact = {label: count * size / total for label, size in sizes.items()}
    taken = {label: min(int(exact[label]), sizes[label] - 1) for label in sizes}
    while sum(taken.values()) < count:
        open_labels = [label for label in sizes if taken[label] < sizes[label] - 1]
        neediest = max(open_labels, key=lambda label: exact[label] - taken[label])
        taken[neediest] += 1
    return taken


def _choose(rows: Mapping[str, list[int]], taken: Mapping[str, int], seed: int) -> set[int]:
    import numpy as np

    generator = np.random.default_rng(seed)
    validation: set[int] = set()
    for label, members in rows.items():
        order = generator.permutation(len(members))[: taken[label]]
        validation.update(members[position] for position in order)
    return validation


def _choose_sets(sets: Sequence[tuple[str, ...]], count: int, seed: int) -> set[int]:
    """Choose `count` rows in which every label is about as frequent as in all of them.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, "On the stratification of
    multi-label data", doi:10.1007/978-3-642-23808-6_10, algorithm 1) into two parts: the label with
    the fewest undealt rows deals its rows, each to the part that lacks more of that label, of
    equals to the part that lacks more rows, then to train. Rows without a label come last. Unlike
    the paper's, a part that has its number of rows gets no more. A label with very few rows may be
    missing in validation.
    """
    import numpy as np

    order = [int(row) for row in np.random.default_rng(seed).permutation(len(sets))]
    rows = _rows_by_name(sets)
    undealt = {name: len(members) for name, members in sorted(rows.items())}
    lacking = {name: count / len(sets) * left for name, left in undealt.items()}
    validation: set[int] = set()
    dealt: set[int] = set()

    def deal(row: int, name: str | None) -> None:
        missing, left = count - len(validation), len(sets) - len(dealt)
        wish = 0.0 if name is None else 2 * lacking[name] - undealt[name]
        to_validation = missing == left or (missing > 0 and (wish, 2 * missing - left) > (0.0, 0))
        dealt.add(row)
        for own in sets[row]:
            undealt[own] -= 1
            lacking[own] -= to_validation
        if to_validation:
            validation.add(row)

    place = {row: position for position, row in enumerate(order)}
    while any(undealt.values()):
        rarest = min((name for name in undealt if undealt[name]), key=lambda name: undealt[name])
        for row in sorted(set(rows[rarest]) - dealt, key=lambda row: place[row]):
            deal(row, rarest)
    for row in order:
        if row not in dealt:
            deal(row, None)
    return validation
