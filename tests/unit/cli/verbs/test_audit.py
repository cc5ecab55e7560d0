"""What `ranklet audit` prints of each thing that it may find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ranklet.cli.verbs.audit import SHOWN_FINDINGS, print_audit
from ranklet.data.audit.result import (
    Audit,
    CleanedCopy,
    CopyCounts,
    CurvePoint,
    Finding,
    LabelCheck,
    LackingLabel,
    Leakage,
    LearningCurve,
    Lengths,
    SplitAudit,
    WrongShare,
)
from ranklet.data.audit.train_test_shift import Shift

LENGTHS = Lengths(mean=7.25, median=7.0, p95=12.0, longest=1_234)
SHARE = WrongShare(0.125, (0.05, 0.25))
CHECK = LabelCheck({"words": 0.9}, 40, 5, SHARE, {("a", "b"): 4, ("b", "a"): 1})
NONE = CopyCounts(0, 0, 0)
TRAIN = SplitAudit("train", "train.csv", 40, {"a": 30, "b": 10}, LENGTHS, None, None, {})
PLAIN = Audit((TRAIN,), 128, None, NONE, None, None, None, ())


def printed(audit: Audit, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_audit(audit)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_clean_set_without_an_encoder(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(PLAIN, capsys)
    assert "label a  30 (75.00%)" in " ".join(lines)
    assert "mean 7.2, median 7, 95 % up to 12, longest 1,234" in " ".join(lines)
    assert "no encoder at hand: words are counted, tokens are not" in lines
    assert "duplicates  within train 0 exact, 0 near" in lines
    assert "labels      not judged" in lines
    assert not any("leakage" in line or "shift" in line for line in lines)


def test_everything_that_may_be_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    tokens = replace(TRAIN, tokens=LENGTHS, truncated=4, oddities={"mojibake": 2})
    test = replace(tokens, name="test", source="test.csv", rows=20, labels={}, oddities={})
    audit = Audit(
        splits=(tokens, test),
        max_length=64,
        tokenizer="minilm",
        duplicates=CopyCounts(exact=3, near=2, conflicting=1),
        leakage=Leakage(CopyCounts(1, 0, 1), CopyCounts(1, 0, 1), "1 test row is in train"),
        shift=Shift(0.91, (0.85, 0.97), ("goal", "match"), (), "test is of another source"),
        label_check=CHECK,
        findings=tuple(
            Finding("label error", "train", row, None, -0.5, "likely b", f"text {row}")
            for row in range(2, 2 + SHOWN_FINDINGS + 1)
        ),
        fixed=CleanedCopy(Path("clean.csv"), Path("clean.changes.csv"), 36, 4, 2, 1),
        not_compared=1_200,
    )
    lines = printed(audit, capsys)
    assert any(line.startswith("longer than 64 tokens  4 (10.00%)") for line in lines)
    assert any(line.startswith("mojibake") and "2 (5.00%)" in line for line in lines)
    assert "            1 of them have another label than their copy" in lines
    assert "            1,200 texts not compared with all that share their words" in lines
    assert "leakage     1 test row is in train" in lines
    assert "            1 of them have another label in train" in lines
    assert (
        "shift       test is of another source (AUC 0.910 [0.850, 0.970], 0.5 is chance)" in lines
    )
    assert "            in train: goal, match" in lines
    assert not any(line.strip().startswith("in test:") for line in lines)
    assert any(
        line.startswith("labels      5 (12.50%) likely wrong, judged by words") for line in lines
    )
    assert "            4 of a are likely b" in lines
    assert sum("train:" in line and "likely b" in line for line in lines) == SHOWN_FINDINGS
    rest = f"the first {SHOWN_FINDINGS} of each kind; --out FOLDER writes all of them"
    assert rest in lines
    assert "clean.csv: 36 rows; 4 dropped, 2 repaired, 1 relabelled" in lines
    assert "changes: clean.changes.csv" in lines


@pytest.mark.parametrize(
    ("share", "line"),
    [
        (SHARE, "estimated share of wrong labels 12.5% (5.0% to 25.0%: least and most by these"),
        (WrongShare(0.2, (0.15, 0.25), 100, 32), "95 %; 32 of 100 near copies contradict each"),
        (WrongShare(0.1, None, missing=0.3), "estimated: 10.0% superfluous, 30.0% missing"),
    ],
)
def test_the_share_of_wrong_labels_says_what_it_rests_on(
    capsys: pytest.CaptureFixture[str], share: WrongShare, line: str
) -> None:
    lines = printed(replace(PLAIN, label_check=replace(CHECK, share=share)), capsys)
    assert any(line in printed_line for printed_line in lines)


def test_no_verdict_where_no_view_knows_the_labels(capsys: pytest.CaptureFixture[str]) -> None:
    check = LabelCheck({"words": 0.7}, 40, 0, None, {}, left_out=("words",))
    lines = printed(replace(PLAIN, label_check=check), capsys)
    assert any(line.startswith("labels      no verdict") for line in lines)
    assert "            words: agrees with 70.0% of the labels and has no say" in lines
    assert not any("likely wrong" in line for line in lines)


def test_what_more_rows_would_bring(capsys: pytest.CaptureFixture[str]) -> None:
    points = (CurvePoint(4, 0.5, 0.4), CurvePoint(26, 0.8, 0.75))
    lacking = (LackingLabel("b", 10, 0.2),)
    curve = LearningCurve(points, 0.02, (0.0, 0.05), lacking, "about two points")
    lines = printed(replace(PLAIN, learning_curve=curve), capsys)
    assert "more rows   about two points" in lines
    assert "            26 rows: accuracy 80.0%, macro F1 75.0%" in lines
    assert "            b lacks rows: 10, of which 20% are recognised" in lines
