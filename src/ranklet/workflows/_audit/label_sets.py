"""Likely errors in sets of labels, by the words of a text and by a frozen encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.label_errors import FOLDS, out_of_sample_probabilities, word_view
from ranklet.data.audit.label_sets import SetErrors, find_set_errors, known_labels
from ranklet.data.audit.result import LabelCheck, WrongShare
from ranklet.data.examples import Examples
from ranklet.data.texts import in_one
from ranklet.labels import LabelSet, as_written, names_of
from ranklet.workflows._audit.labels import Suspect, Views


def check_label_sets(
    examples: Examples,
    encoder: str | None,
    states: NDArray[np.float32] | None,
    report: Callable[[str], None],
) -> tuple[LabelCheck | None, dict[int, Suspect]]:
    """Look for labels that are missing or superfluous, each label for itself.

    Args:
        examples: Cleaned texts with sets of labels.
        encoder: Name of the encoder that has the states.
        states: (rows, hidden) mean-pooled states, or None for words alone.
        report: Receives a line at each long stage.

    Returns:
        The figures, and the set that is more probable by row, the most certain first; None and
        nothing where no label has enough rows with it and without it.
    """
    sets = [names_of(label) for label in examples.labels or ()]
    sizes = Counter(name for names in sets for name in names)
    frequent = [name for name, rows in sizes.items() if FOLDS <= rows <= len(sets) - FOLDS]
    if len(frequent) < 2:
        return None, {}
    names = LabelSet.from_values(frequent).names
    given = np.array([[name in labels for name in names] for labels in sets], dtype=np.int64)
    report(f"judging {len(names):,} labels of {len(sets):,} texts")
    views = _presence_views([in_one(text) for text in examples.texts], given, encoder, states)
    known = {name: known_labels(given, view) for name, view in views.items()}
    columns = np.flatnonzero(np.any([*known.values()], axis=0))
    telling = [view[:, columns] for name, view in views.items() if known[name].any()]
    errors = find_set_errors(given[:, columns], telling) if telling else None
    doubted = [] if errors is None else [*_doubted(errors, columns)]
    suspects = dict(_suspects(doubted, sets, names))
    pairs = Counter(
        _change(sets[row], names[label]) for row, labels, _ in doubted for label in labels
    )
    check = LabelCheck(
        views={name: float(labels.mean()) for name, labels in known.items()},
        left_out=tuple(name for name, labels in known.items() if not labels.any()),
        checked=len(sets),
        likely_wrong=len(suspects),
        share=None
        if errors is None
        else WrongShare(errors.superfluous, None, missing=errors.missing),
        confusions=dict(pairs.most_common()),
        unjudged=tuple(name for index, name in enumerate(names) if index not in columns),
    )
    return check, suspects


def _presence_views(
    texts: list[str],
    given: NDArray[np.int64],
    encoder: str | None,
    states: NDArray[np.float32] | None,
) -> Views:
    features = {"words": word_view(texts)}
    if encoder is not None:
        features[encoder] = states
    return {
        name: np.stack(
            [out_of_sample_probabilities(seen, column)[:, 1] for column in given.T], axis=1
        )
        for name, seen in features.items()
        if seen is not None
    }


def _doubted(
    errors: SetErrors, columns: NDArray[np.int64]
) -> Iterator[tuple[int, list[int], float]]:
    """Give each row with a likely error, its labels in doubt, and the strongest doubt."""
    strongest = errors.wrong.max(axis=1)
    for row in np.argsort(-strongest, kind="stable"):
        if strongest[row] <= 0.5:
            return
        labels = columns[errors.wrong[row] > 0.5]
        yield int(row), labels.tolist(), float(strongest[row])


def _suspects(
    doubted: Sequence[tuple[int, list[int], float]],
    sets: Sequence[tuple[str, ...]],
    names: Sequence[str],
) -> Iterator[tuple[int, Suspect]]:
    for row, labels, doubt in doubted:
        likely = set(sets[row]) ^ {names[label] for label in labels}
        yield row, Suspect(as_written(tuple(sorted(likely))) or "no label", 1 - 2 * doubt)


def _change(given: Sequence[str], name: str) -> tuple[str, str]:
    """Return what a label is given as, and what it likely should be."""
    return (name, f"without {name}") if name in given else (f"without {name}", name)
