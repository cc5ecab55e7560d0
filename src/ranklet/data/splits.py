"""Validation out of train: stratified, seeded, every row in exactly one part."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ranklet.data.examples import Examples, required_labels
from ranklet.data.hints import listed
from ranklet.errors import DataError


def split_validation(train: Examples, size: float | int, seed: int) -> tuple[Examples, Examples]:
    """Split rows off for validation.

    Each class gives rows in proportion to its size, rounded by largest remainders (Hamilton's
    method), and keeps at least one. Both parts keep the order of the source.

    Args:
        train: Rows with labels.
        size: Share of the rows (a float between 0 and 1) or number of rows (an int).
        seed: Decides which rows are taken.

    Returns:
        (train, validation).

    Raises:
        DataError: No labels, a size that the rows cannot give, or a class with a single row.
    """
    rows = _rows_by_label(train)
    count = _validation_count(train, size, len(rows))
    taken = _apportion({label: len(found) for label, found in rows.items()}, count)
    chosen = _choose(rows, taken, seed)
    kept = [row for row in range(len(train)) if row not in chosen]
    return train.select(kept), train.select(sorted(chosen))


def _rows_by_label(train: Examples) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(required_labels(train)):
        rows.setdefault(label, []).append(row)
    lonely = sorted(label for label, found in rows.items() if len(found) == 1)
    if lonely:
        raise DataError(
            f"one row only for {listed(lonely)}, and a stratified split needs 2 per label; add "
            "rows, drop the label, or give data.validation a file",
            train.source,
            train.lines[rows[lonely[0]][0]],
        )
    return dict(sorted(rows.items()))


def _validation_count(train: Examples, size: float | int, classes: int) -> int:
    total = len(train)
    if isinstance(size, bool) or not (0 < size < (1 if isinstance(size, float) else math.inf)):
        raise DataError(
            f"data.validation is {size!r}; give a share between 0 and 1, or a number of rows",
            train.source,
        )
    count = round(size * total) if isinstance(size, float) else size
    if not classes <= count <= total - classes:
        raise DataError(
            f"data.validation {size!r} takes {count} of {total} rows; with {classes} labels take "
            f"{classes} to {total - classes}, so that both parts can hold every label",
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
    chosen: set[int] = set()
    for label, found in rows.items():
        order = generator.permutation(len(found))[: taken[label]]
        chosen.update(found[position] for position in order)
    return chosen
