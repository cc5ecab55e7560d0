"""Every row that an audit complains about, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ranklet.data.audit.copies import Copy, find_copies, fingerprints
from ranklet.data.audit.result import CopyCounts, Finding, Leakage, leakage_verdict
from ranklet.data.examples import Examples
from ranklet.labels import as_written
from ranklet.workflows._audit.labels import Suspect
from ranklet.workflows._audit.split_description import shown


@dataclass(frozen=True)
class Copies:
    """Which rows are copies of which.

    Attributes:
        within: Training rows that copy an earlier one.
        in_test: Training rows with a copy in test.
        in_train: Test rows with a copy in train.
        open: Rows of both without a copy that were not compared with all others.
    """

    within: Mapping[int, Copy]
    in_test: Mapping[int, Copy]
    in_train: Mapping[int, Copy]
    open: int


def compare(train: Examples, test: Examples | None) -> Copies:
    """Find the copies within train and, where there is a test split, across both."""
    if test is None:
        (own,) = fingerprints(train)
        within = find_copies(own)
        return Copies(within.copies, {}, {}, len(within.open))
    own, held_out = fingerprints(train, test)
    within, in_test = find_copies(own), find_copies(own, held_out)
    in_train = find_copies(held_out, own)
    is_open = len(within.open | in_test.open) + len(in_train.open)
    return Copies(within.copies, in_test.copies, in_train.copies, is_open)


def count_copies(copies: Mapping[int, Copy], rows: Examples, others: Examples) -> CopyCounts:
    """Count exact and near copies, and those whose labels contradict each other."""
    exact = sum(copy.exact for copy in copies.values())
    conflicts = sum(_conflict(row, copy, rows, others) for row, copy in copies.items())
    return CopyCounts(exact, len(copies) - exact, conflicts)


def leakage(copies: Copies, train: Examples, test: Examples) -> Leakage:
    """Count what of test is also in train."""
    counts = count_copies(copies.in_train, test, train)
    return Leakage(
        test=counts,
        train=count_copies(copies.in_test, train, test),
        verdict=leakage_verdict(counts, len(test)),
    )


def copy_findings(copies: Copies, train: Examples, test: Examples | None) -> Iterator[Finding]:
    """List copies within train, then training rows with a copy in test."""
    yield from _copies(copies.within, train, train, "exact duplicate", "near duplicate")
    if test is not None:
        yield from _copies(copies.in_test, train, test, "exact copy of test", "near copy of test")


def label_findings(suspects: Mapping[int, Suspect], train: Examples) -> Iterator[Finding]:
    """List likely label errors, the most certain first."""
    labels = [as_written(label) for label in train.labels or ()]
    for row, suspect in suspects.items():
        detail = f"{labels[row]}, likely {suspect.label}"
        margin = round(suspect.margin, 4)
        text = shown(train.texts[row])
        yield Finding("label error", "train", train.lines[row], None, margin, detail, text)


def _copies(
    copies: Mapping[int, Copy], rows: Examples, others: Examples, exact: str, near: str
) -> Iterator[Finding]:
    for row, copy in copies.items():
        detail = f"containment {copy.containment:.2f}"
        if rows.labels is not None and others.labels is not None:
            own, other = rows.labels[row], others.labels[copy.other]
            detail += (
                ""
                if own == other
                else f", labels differ: {as_written(own)}, there {as_written(other)}"
            )
        yield Finding(
            kind=exact if copy.exact else near,
            split="train",
            line=rows.lines[row],
            other=f"{others.source}:{others.lines[copy.other]}",
            score=round(copy.resemblance, 4),
            detail=detail,
            text=shown(rows.texts[row]),
        )


def _conflict(row: int, copy: Copy, rows: Examples, others: Examples) -> bool:
    if rows.labels is None or others.labels is None:
        return False
    return rows.labels[row] != others.labels[copy.other]
