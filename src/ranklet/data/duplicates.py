"""Duplicates within train and across splits, ignoring case and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ranklet.data.examples import Examples
from ranklet.errors import DataError
from ranklet.vocabulary import DuplicatePolicy

MAX_PAIRS = 3
# Everything in ASCII that is neither letter, digit nor white space.
ASCII_PUNCTUATION = {
    code: None for code in range(128) if not (chr(code).isalnum() or chr(code).isspace())
}


@dataclass(frozen=True)
class DuplicatePair:
    """Two rows that hold the same text.

    Attributes:
        kind: The count of the report it belongs to, such as `train_test`.
        first: Place of the one row, `file:line`.
        second: Place of the other.
    """

    kind: str
    first: str
    second: str


@dataclass(frozen=True)
class DuplicateReport:
    """What was found; every count is a number of rows.

    Attributes:
        within_train: Training rows that repeat an earlier training row.
        train_validation: Training rows that also occur in validation.
        train_test: Training rows that also occur in test.
        validation_test: Validation rows that also occur in test; never dropped.
        conflicting_labels: Those of `within_train` whose label differs from the earlier row's.
        dropped: Training rows that were dropped.
        pairs: The first few pairs of each kind.
    """

    within_train: int
    train_validation: int
    train_test: int
    validation_test: int
    conflicting_labels: int
    dropped: int
    pairs: tuple[DuplicatePair, ...]


def normal_form(text: str) -> str:
    """Reduce a text to what makes it the same text: its letters and digits.

    Case folded (after Unicode NFKC), everything but letters, their marks and digits removed, white
    space collapsed. A text without any of them is compared as it stands, stripped.
    """
    if text.isascii():
        form = text.lower().translate(ASCII_PUNCTUATION)
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        form = "".join(character for character in folded if _counts(character))
    return " ".join(form.split()) or text.strip()


def _counts(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "LMN"


def resolve_duplicates(
    train: Examples, validation: Examples | None, test: Examples | None, policy: DuplicatePolicy
) -> tuple[Examples, DuplicateReport]:
    """Find texts that occur twice and apply the policy to the training rows.

    `drop` keeps the first of equal training rows and none that occurs in validation or test;
    `refuse` raises if anything is found; `keep` only counts.

    Returns:
        The training rows to use, and the report.

    Raises:
        DataError: The policy is `refuse` and something was found, or nothing would be left.
    """
    forms = [normal_form(text) for text in train.texts]
    first_train, first_validation, first_test = first_rows(forms), _index(validation), _index(test)
    repeats = {row: first_train[form] for row, form in enumerate(forms) if first_train[form] < row}
    in_validation, in_test = _shared(forms, first_validation), _shared(forms, first_test)
    held_out = [] if validation is None else [normal_form(text) for text in validation.texts]
    leaked = _shared(held_out, first_test)
    lost = repeats.keys() | in_validation.keys() | in_test.keys() if policy == "drop" else set()
    report = DuplicateReport(
        within_train=len(repeats),
        train_validation=len(in_validation),
        train_test=len(in_test),
        validation_test=len(leaked),
        conflicting_labels=_conflicts(train, repeats),
        dropped=len(lost),
        pairs=(
            *_pairs("within_train", train, train, repeats),
            *_pairs("train_validation", train, validation, in_validation),
            *_pairs("train_test", train, test, in_test),
            *_pairs("validation_test", validation, test, leaked),
        ),
    )
    if policy == "refuse" and report.pairs:
        raise DataError(_refusal(report), train.source)
    if len(lost) == len(train):
        raise DataError("every row is a duplicate or occurs in validation or test", train.source)
    return train.select([row for row in range(len(train)) if row not in lost]), report


def first_rows(forms: Iterable[str]) -> dict[str, int]:
    """Map each normal form to the first row that has it."""
    first: dict[str, int] = {}
    for row, form in enumerate(forms):
        first.setdefault(form, row)
    return first


def _index(examples: Examples | None) -> dict[str, int]:
    return first_rows(normal_form(text) for text in examples.texts) if examples else {}


def _shared(forms: Iterable[str], other: Mapping[str, int]) -> dict[int, int]:
    """Map each row whose form occurs in the other split to the first such row there."""
    return {row: other[form] for row, form in enumerate(forms) if form in other}


def _conflicts(train: Examples, repeats: Mapping[int, int]) -> int:
    labels = train.labels
    return (
        0 if labels is None else sum(labels[row] != labels[seen] for row, seen in repeats.items())
    )


def _pairs(
    kind: str, left: Examples | None, right: Examples | None, rows: Mapping[int, int]
) -> list[DuplicatePair]:
    if left is None or right is None:
        return []
    return [
        DuplicatePair(kind, _place(left, row), _place(right, other))
        for row, other in list(rows.items())[:MAX_PAIRS]
    ]


def _place(examples: Examples, row: int) -> str:
    return f"{examples.source}:{examples.lines[row]}"


def _refusal(report: DuplicateReport) -> str:
    pair = report.pairs[0]
    return (
        f"duplicate texts: {report.within_train} rows within train "
        f"({report.conflicting_labels} with another label), {report.train_validation} also in "
        f"validation, {report.train_test} also in test, {report.validation_test} of validation in "
        f"test; the first is {pair.first} = {pair.second}; remove them or set data.duplicates to "
        "drop or keep"
    )
