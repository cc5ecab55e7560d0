"""Names for the integers that stand for labels in a source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.errors import DataError
from ranklet.labels import Label, likeness, names_of

BOOLEANS = ("False", "True")
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def occurring_integers(labels: Iterable[Label], names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the integers that names stand for, where labels are exactly as many integers."""
    written = {name for label in labels for name in names_of(label)}
    if len(written) != len(names) or written <= {likeness(name) for name in names}:
        return None
    if not all(map(INTEGER.fullmatch, written)):
        return None
    return tuple(sorted(map(int, written)))


def names_by_label(
    examples: Examples, names: Sequence[str], integers: Sequence[int] | None = None
) -> dict[str, str]:
    """Return the name of each label as it is written: itself, or that of an integer.

    Args:
        examples: Have integers as labels, or names.
        names: All names.
        integers: What stands for each; None: 0 .. n-1.

    Raises:
        DataError: A label that is neither.
    """
    labels = examples.labels or ()
    written = [name for label in labels for name in names_of(label)]
    distinct = set(written)
    alike = {likeness(name): name for name in names} | {name: name for name in names}
    same = {name: alike.get(name) or alike.get(likeness(name)) for name in distinct}
    if None not in same.values():
        return {name: own for name, own in same.items() if own is not None}
    integers = range(len(names)) if integers is None else integers
    by_integer = {str(integer): name for integer, name in zip(integers, names, strict=True)}
    if distinct <= set(BOOLEANS) and len(names) == len(BOOLEANS):
        by_integer = dict(zip(BOOLEANS, names, strict=True))
    # The first label tells which spelling a file uses.
    allowed = {name: name for name in names} if written[0] in names else by_integer
    for label, line in zip(labels, examples.lines, strict=True):
        for name in names_of(label):
            if name not in allowed:
                message = (
                    f"label {name!r} is not one of {listed(names)}, nor an integer "
                    f"{_range(integers)}{nearest(name, names)}"
                )
                raise DataError(message, examples.source, line)
    return {name: allowed[name] for name in distinct}


def renamed(label: Label, names: Mapping[str, str]) -> Label:
    """Return a label by its names."""
    if isinstance(label, str):
        return names[label]
    return tuple(sorted(names[name] for name in label))


def _range(integers: Sequence[int]) -> str:
    if list(integers) == list(range(len(integers))):
        return f"from 0 to {len(integers) - 1}"
    return f"out of {', '.join(map(str, integers))}"
