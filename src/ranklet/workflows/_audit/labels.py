"""Likely label errors of a split, by its words and by a frozen encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranklet.data.audit.copies import Copy
from ranklet.data.audit.label_errors import (
    FOLDS,
    LabelErrors,
    find_label_errors,
    knows_labels,
    neighbour_probabilities,
    out_of_sample_probabilities,
    word_view,
)
from ranklet.data.audit.result import LabelCheck, WrongShare
from ranklet.data.examples import Examples
from ranklet.data.texts import in_one
from ranklet.labels import LabelSet, as_written
from ranklet.workflows._audit.wrong_share import share_by_copies

Views = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Suspect:
    """A row whose label is likely to be wrong.

    Attributes:
        label: The label that is more probable.
        margin: Probability that the given label is right minus that it is wrong.
    """

    label: str
    margin: float


def check_labels(
    examples: Examples,
    encoder: str | None,
    states: NDArray[np.float32] | None,
    copies: Mapping[int, Copy],
    report: Callable[[str], None],
) -> tuple[LabelCheck | None, dict[int, Suspect]]:
    """Look for label errors, where a text has one label.

    Args:
        examples: Cleaned texts with labels.
        encoder: Name of the encoder that has the states.
        states: (rows, hidden) mean-pooled states for two further views, or None for words alone.
            The encoder has no adapters: trained on these labels, they would vouch for wrong ones.
        copies: Rows that copy an earlier one.
        report: Receives a line at each long stage.

    Returns:
        The figures, and what is wrong by row, the most certain first; None and nothing where fewer
        than two labels have enough rows.
    """
    given = [as_written(label) for label in examples.labels or ()]
    frequent = frequent_labels(given)
    if frequent is None:
        return None, {}
    names, rows, labels = frequent
    report(f"judging {len(rows):,} labels")
    texts = [in_one(examples.texts[row]) for row in rows]
    views = _views(texts, labels, encoder, None if states is None else states[rows])
    telling = {name: view for name, view in views.items() if knows_labels(labels, view)}
    by_copies = share_by_copies(copies, given)
    share = None if by_copies is None else by_copies.value
    errors = find_label_errors(labels, [*telling.values()], share) if telling else None
    suspects = _suspects(errors, rows, names)
    pairs = Counter((given[row], suspect.label) for row, suspect in suspects.items())
    check = LabelCheck(
        views={name: float((view.argmax(1) == labels).mean()) for name, view in views.items()},
        left_out=tuple(name for name in views if name not in telling),
        checked=len(rows),
        likely_wrong=len(suspects),
        share=None if errors is None else by_copies or WrongShare(errors.share, errors.interval),
        confusions=dict(pairs.most_common()),
        unjudged=() if errors is None else tuple(names[index] for index in errors.unknown),
    )
    return check, suspects


def frequent_labels(
    given: Sequence[str],
) -> tuple[tuple[str, ...], list[int], NDArray[np.int64]] | None:
    """Find the labels with enough rows to be judged.

    Returns:
        Their names, the rows that have one of them, and (rows,) int64 which; None where they are
        fewer than two.
    """
    frequent = [label for label, rows in Counter(given).items() if rows >= FOLDS]
    if len(frequent) < 2:
        return None
    names = LabelSet.from_values(frequent).names
    place = {name: index for index, name in enumerate(names)}
    rows = [row for row, label in enumerate(given) if label in place]
    return names, rows, np.array([place[given[row]] for row in rows], dtype=np.int64)


def _views(
    texts: list[str],
    labels: NDArray[np.int64],
    encoder: str | None,
    states: NDArray[np.float32] | None,
) -> Views:
    words = word_view(texts)
    views = {} if words is None else {"words": out_of_sample_probabilities(words, labels)}
    if encoder is not None and states is not None:
        views[encoder] = out_of_sample_probabilities(states, labels)
        views[f"neighbours in {encoder}"] = neighbour_probabilities(states, labels)
    return views


def _suspects(
    errors: LabelErrors | None, rows: list[int], names: tuple[str, ...]
) -> dict[int, Suspect]:
    if errors is None:
        return {}
    return {
        rows[row]: Suspect(names[label], float(margin))
        for row, label, margin in zip(errors.rows, errors.suggested, errors.margin, strict=True)
    }
