"""Audit: what a look at a data set before training found, and its JSON form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ranklet.data.audit.train_test_shift import Shift
from ranklet.display import Display, shows_itself
from ranklet.json_values import to_values

Defect = Literal["oddities", "duplicates", "leakage", "label-errors"]
"""What can be wrong with a data set."""


@dataclass(frozen=True)
class Lengths:
    """How long texts are.

    Attributes:
        mean: Mean length.
        median: Half of the texts are at most so long.
        p95: 95 % of them are.
        longest: All of them are.
    """

    mean: float
    median: float
    p95: float
    longest: int


@dataclass(frozen=True)
class SplitAudit:
    """One split by itself.

    Attributes:
        name: `train` or `test`.
        source: File or data set.
        rows: Number of rows.
        labels: Rows of each label, in the order of the labels; empty without labels.
        words: Lengths in words.
        tokens: Lengths in tokens, special ones included; None without a tokenizer.
        truncated: Rows that are longer than the longest text; None without a tokenizer.
        oddities: Rows of each oddity that occurs.
        unknown: Share of the tokens that the encoder does not know; None without a tokenizer.
    """

    name: str
    source: str
    rows: int
    labels: Mapping[str, int]
    words: Lengths
    tokens: Lengths | None
    truncated: int | None
    oddities: Mapping[str, int]
    unknown: float | None = None


@dataclass(frozen=True)
class CopyCounts:
    """Copies within a split or across two; every count is a number of rows.

    Attributes:
        exact: Rows with an exact copy.
        near: Rows with a near duplicate and no exact copy.
        conflicting: Those of both whose label is not that of the copy.
    """

    exact: int
    near: int
    conflicting: int


@dataclass(frozen=True)
class Leakage:
    """What of test is also in train.

    Attributes:
        test: Test rows with a copy in train.
        train: Training rows with a copy in test.
        verdict: What it means for a test figure, in words.
    """

    test: CopyCounts
    train: CopyCounts
    verdict: str


@dataclass(frozen=True)
class WrongShare:
    """Estimated share of wrong labels.

    Attributes:
        value: The share; of several labels a text, of the given ones that are superfluous.
        interval: Where it lies: 95 % where copies tell, else from the least to the most that the
            views allow.
        copies: Pairs of near copies that it rests on; 0: it rests on the views alone.
        contradicting: Those of them with different labels.
        missing: Of several labels a text, share of the true ones that were not given.
    """

    value: float
    interval: tuple[float, float] | None
    copies: int = 0
    contradicting: int = 0
    missing: float | None = None


@dataclass(frozen=True)
class LabelCheck:
    """Likely label errors of the training rows.

    Attributes:
        views: What decided, `words`, the encoder and neighbours in its states, and
            the share of rows whose label each finds the most probable: where that is low, what is
            found says little. Of several labels a text, the share of labels that each knows.
        checked: Rows of labels with enough rows to judge.
        likely_wrong: Rows whose label is likely to be wrong.
        share: Estimated share of wrong labels among `checked`; None where no view knows them.
        confusions: Number of rows found by (given label, suggested label), most first.
        left_out: Those of the views that know no more than which label is the most frequent, and
            so had no say.
        unjudged: Labels that the views do not recognise, so that none of their rows is named.
    """

    views: Mapping[str, float]
    checked: int
    likely_wrong: int
    share: WrongShare | None
    confusions: Mapping[tuple[str, str], int]
    left_out: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """How well a probe does that learned from some of the rows.

    Attributes:
        rows: Rows that it learned from.
        accuracy: On rows that it never saw.
        macro_f1: On the same.
    """

    rows: int
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class LackingLabel:
    """A label with few rows that is recognised less often than others.

    Attributes:
        label: Its name.
        rows: Rows that have it, among those looked at.
        recall: Share of them that are recognised.
    """

    label: str
    rows: int
    recall: float


@dataclass(frozen=True)
class LearningCurve:
    """What a probe on the frozen encoder learns from ever more rows.

    Attributes:
        points: From a tenth of the rows to all, which are cross-validated.
        gain: Accuracy that twice the rows would bring, if errors go on falling as they did.
        interval: 95 % of it.
        lacking: Labels that lack rows, the least recognised first.
        verdict: What twice the rows would bring, in words.
    """

    points: tuple[CurvePoint, ...]
    gain: float
    interval: tuple[float, float]
    lacking: tuple[LackingLabel, ...]
    verdict: str


@dataclass(frozen=True)
class Finding:
    """One row that something is wrong with.

    Attributes:
        kind: Such as `exact duplicate`, `near copy in test`, `label error` or `mojibake`.
        split: `train` or `test`.
        line: Line of the row in its source.
        other: Place of the other row, for copies.
        score: Resemblance of near duplicates; margin of label errors, -1 the most certain.
        detail: More in words, such as the label that is suggested.
        text: Start of the text.
    """

    kind: str
    split: str
    line: int
    other: str | None
    score: float | None
    detail: str
    text: str


@dataclass(frozen=True)
class CleanedCopy:
    """A cleaned copy of the training data.

    Attributes:
        path: The copy.
        changes: List of all changes.
        rows: Rows that are left.
        dropped: Rows left out.
        repaired: Rows whose text was repaired.
        relabelled: Rows whose label was changed.
    """

    path: Path
    changes: Path
    rows: int
    dropped: int
    repaired: int
    relabelled: int


@shows_itself
@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        splits: Train, and test where it is given.
        max_length: Longest text in tokens that `truncated` counts by.
        tokenizer: Encoder whose tokenizer counted, or None.
        duplicates: Copies of earlier rows within train.
        leakage: Copies across train and test; None without test.
        shift: Whether both come from one source; None without test or with too few texts.
        label_check: Likely label errors; None where they were not looked for.
        findings: Every row that something is wrong with.
        fixed: The cleaned copy, where it was asked for.
        not_compared: Rows without a copy that were not compared with all others, because more than
            1,000 texts share their rarest words.
        learning_curve: What more rows would bring; None without an encoder or labels, or where a
            text may have several.
    """

    splits: tuple[SplitAudit, ...]
    max_length: int
    tokenizer: str | None
    duplicates: CopyCounts
    leakage: Leakage | None
    shift: Shift | None
    label_check: LabelCheck | None
    findings: tuple[Finding, ...]
    fixed: CleanedCopy | None = None
    not_compared: int = 0
    learning_curve: LearningCurve | None = None

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What is wrong."""
        leaked = self.leakage is not None and self.leakage.train != CopyCounts(0, 0, 0)
        is_there: dict[Defect, bool] = {
            "oddities": any(split.oddities for split in self.splits),
            "duplicates": self.duplicates != CopyCounts(0, 0, 0),
            "leakage": leaked,
            "label-errors": self.label_check is not None and self.label_check.likely_wrong > 0,
        }
        return tuple(name for name, there in is_there.items() if there)

    def display(self) -> Display:
        """Return the number of rows of each kind of finding as a table."""
        counts = Counter((finding.kind, finding.split) for finding in self.findings)
        sizes = ", ".join(f"{split.rows:,} {split.name} texts" for split in self.splits)
        return Display(
            f"Audit of {sizes}: {', '.join(self.defects) or 'nothing'} found",
            ("finding", "split", "texts"),
            [(kind, split, f"{count:,}") for (kind, split), count in counts.most_common()],
            () if self.leakage is None else (f"leakage: {self.leakage.verdict}",),
        )


def to_json(audit: Audit) -> dict[str, Any]:
    """Return an audit as JSON values."""
    content = to_values(audit)
    if audit.label_check is not None:
        content["label_check"]["confusions"] = [
            {"given": given, "suggested": suggested, "rows": rows}
            for (given, suggested), rows in audit.label_check.confusions.items()
        ]
    return {**content, "problems": list(audit.defects)}


def leakage_verdict(test: CopyCounts, rows: int) -> str:
    """Say in words what copies of test texts in train mean for a figure on test."""
    leaked = test.exact + test.near
    if not leaked:
        return "none: no test text has a copy in train"
    share = f"{leaked:,} of {rows:,} test texts ({leaked / rows:.2%})"
    parts = f"{test.exact:,} exact, {test.near:,} near"
    return (
        f"leak: {share} have a copy in train ({parts}); they may lift a test accuracy by up to "
        f"{100 * leaked / rows:.2f} points"
    )
