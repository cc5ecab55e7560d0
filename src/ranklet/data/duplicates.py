"""Duplicates within train and across splits, ignoring case and punctuation.

Texts that differ by these alone are the same only while their labels agree: `C` and `C++` may be
two classes, and where they are, case and punctuation tell them apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ranklet.data.examples import Examples
from ranklet.data.texts import Text, each_part
from ranklet.errors import DataError
from ranklet.labels import Label
from ranklet.vocabulary import DuplicatePolicy

MAX_PAIRS = 3
Identity = tuple[str, Label | None]
"""What makes a row the duplicate of another that has it too."""
# Everything in ASCII that is neither letter, digit nor white space.
ASCII_PUNCTUATION = {
    code: None for code in range(128) if not (chr(code).isalnum() or chr(code).isspace())
}


@dataclass(frozen=True)
class DuplicatePair:
    """Two rows that hold the same text, but for case and punctuation where their labels agree.

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
        conflicting_labels: Those of `within_train` whose label differs from the earlier row's, with
            texts equal to the letter.
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


def normal_form(text: Text) -> str:
    """Reduce a text to what makes it the same text: its letters and digits.

    Case folded (after Unicode NFKC), everything but letters, their marks and digits removed, white
    space collapsed. A text without letters and digits is compared as it stands, stripped. The two
    of a pair have a line each.
    """
    if not isinstance(text, str):
        return "\n".join(map(normal_form, text))
    if text.isascii():
        form = text.lower().translate(ASCII_PUNCTUATION)
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        form = "".join(character for character in folded if _counts(character))
    # Marks alone are what is left of emoji.
    return " ".join(form.split()) if any(map(str.isalnum, form)) else text.strip()


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
    own, of_validation, of_test = _identities(train), _identities(validation), _identities(test)
    repeats = repeats_within(own)
    in_validation, in_test = first_matches(own, of_validation), first_matches(own, of_test)
    leaked = first_matches(of_validation, of_test)
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


def identities(
    texts: Iterable[Text], labels: Iterable[Label | None]
) -> list[tuple[Identity, Identity]]:
    """Return what two rows share, one of both, that are duplicates.

    They are the text to the letter but for white space, with any label; and its normal form with
    the label of the row.
    """
    return [
        (("=" + _to_the_letter(text), None), ("~" + normal_form(text), label))
        for text, label in zip(texts, labels, strict=True)
    ]


def _to_the_letter(text: Text) -> str:
    stripped = each_part(text, lambda part: " ".join(part.split()))
    return stripped if isinstance(stripped, str) else "\n".join(stripped)


def repeats_within(rows: Sequence[Sequence[Identity]]) -> dict[int, int]:
    """Map each row that is a duplicate of an earlier one to the first of them."""
    first: dict[Identity, int] = {}
    repeats: dict[int, int] = {}
    for row, keys in enumerate(rows):
        matches = [first[key] for key in keys if key in first]
        if matches:
            repeats[row] = min(matches)
        # With another label than the text has already, a row speaks for no other spelling of it.
        if not matches or rows[min(matches)][-1][1] == keys[-1][1]:
            for key in keys:
                first.setdefault(key, row)
    return repeats


def first_matches(
    rows: Sequence[Sequence[Identity]], others: Sequence[Sequence[Identity]]
) -> dict[int, int]:
    """Map each row that has a duplicate among others to the first of them."""
    first: dict[Identity, int] = {}
    for row, keys in enumerate(others):
        for key in keys:
            first.setdefault(key, row)
    missing = len(others)
    matches = {
        row: min((first.get(key, missing) for key in keys), default=missing)
        for row, keys in enumerate(rows)
    }
    return {row: match for row, match in matches.items() if match < missing}


def _conflicts(train: Examples, repeats: Mapping[int, int]) -> int:
    labels = train.labels
    return (
        0 if labels is None else sum(labels[row] != labels[seen] for row, seen in repeats.items())
    )


def _identities(examples: Examples | None) -> list[tuple[Identity, Identity]]:
    if examples is None:
        return []
    return identities(examples.texts, examples.labels or [None] * len(examples))


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
