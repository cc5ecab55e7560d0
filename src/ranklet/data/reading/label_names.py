"""Names for the integers that stand for labels in a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.errors import DataError
from ranklet.labels import Label, names_of


def with_label_names(examples: Examples, names: tuple[str, ...]) -> Examples:
    """Replace the labels "0" .. "n-1" by names, unless they are those names already.

    Raises:
        DataError: A label that is neither.
    """
    if examples.labels is None:
        return replace(examples, label_names=names)
    written = [name for label in examples.labels for name in names_of(label)]
    if set(written) <= set(names):
        return replace(examples, label_names=names)
    by_index = {str(index): name for index, name in enumerate(names)}
    # The first label tells which spelling a file uses.
    allowed = set(names) if written[0] in names else set(by_index)
    for label, line in zip(examples.labels, examples.lines, strict=True):
        for name in names_of(label):
            if name not in allowed:
                message = (
                    f"label {name!r} is not one of {listed(names)}, nor an integer from 0 to "
                    f"{len(names) - 1}{nearest(name, names)}"
                )
                raise DataError(message, examples.source, line)
    labels = tuple(_renamed(label, by_index) for label in examples.labels)
    return replace(examples, labels=labels, label_names=names)


def _renamed(label: Label, names: Mapping[str, str]) -> Label:
    if isinstance(label, str):
        return names[label]
    return tuple(sorted(names[name] for name in label))
