"""ranklet audit: the verb, the tables of the splits, and what is wrong with them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_json, print_line, print_table, report

if TYPE_CHECKING:
    from ranklet.data.audit.result import Audit, Lengths, SplitAudit, WrongShare

SHOWN_FINDINGS = 5


class FailOn(StrEnum):
    """What may end the command with exit code 1."""

    ODDITIES = "oddities"
    DUPLICATES = "duplicates"
    LEAKAGE = "leakage"
    LABEL_ERRORS = "label-errors"


def audit(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Training texts: file, named set or hub data set."),
    ],
    test: Annotated[str | None, typer.Option(help="Test texts, to compare with.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run whose columns, cleaning and encoder are used."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Folder or hub id; default: of the run, else minilm.")
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            "--text-column",
            metavar="COLUMN",
            help="Column of the text (repeat for several).",
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            "--label",
            "--label-column",
            metavar="COLUMN",
            help='Column of the label; "" for texts without labels.',
        ),
    ] = None,
    set_: options.ReadingOption = None,
    label_names: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Names of integer labels, in order.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=3, help="Longest text in tokens; default: of the run, 128.")
    ] = None,
    label_views: Annotated[
        Literal["auto", "words", "none"],
        typer.Option(help="Judge labels by words and encoder, by words alone, or not."),
    ] = "auto",
    fix: Annotated[
        Path | None, typer.Option(help="Csv file to write: a cleaned copy, its changes beside it.")
    ] = None,
    drop_near_duplicates: Annotated[
        bool, typer.Option("--drop-near-duplicates", help="Drop those within train from it too.")
    ] = False,
    label_errors: Annotated[
        Literal["keep", "drop", "relabel"], typer.Option(help="What it does to likely errors.")
    ] = "keep",
    out: Annotated[
        Path | None, typer.Option(help="Folder for audit.json and findings.csv.")
    ] = None,
    fail_on: Annotated[
        list[FailOn] | None,
        typer.Option(help="Exit with 1 if this is found (repeat for several)."),
    ] = None,
    escape_formulas: options.EscapeFormulasOption = False,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Look for what is wrong with data before training: copies, leakage, wrong labels."""
    from ranklet.data.audit.result import to_json
    from ranklet.workflows.audit import AuditFolder, Fix, audit

    result = audit(
        data,
        test,
        run=options.model_source(run, encoder, label_names, device, precision),
        columns=options.columns(text_column, label_column, set_),
        max_length=max_length,
        label_views=label_views,
        fix=None if fix is None else Fix(fix, drop_near_duplicates, label_errors),
        out=None if out is None else AuditFolder(out, escape_formulas),
        report=report,
    )
    if json:
        print_json(to_json(result))
    else:
        print_audit(result)
    if set(result.defects) & set(fail_on or ()):
        raise typer.Exit(1)


def print_audit(audit: Audit) -> None:
    """Print an audit: tables of the splits, then what was found, worst first."""
    _print_splits(audit)
    own = audit.duplicates
    print_line()
    print_line(f"duplicates  within train {own.exact:,} exact, {own.near:,} near")
    if own.conflicting:
        print_line(f"            {own.conflicting:,} of them have another label than their copy")
    if audit.not_compared:
        print_line(
            f"            {audit.not_compared:,} texts not compared with all that share their words"
        )
    if audit.leakage is not None:
        print_line(f"leakage     {audit.leakage.verdict}")
        conflicting = audit.leakage.test.conflicting
        if conflicting:
            print_line(f"            {conflicting:,} of them have another label in train")
    if audit.shift is not None:
        low, high = audit.shift.interval
        auc = f"AUC {audit.shift.auc:.3f} [{low:.3f}, {high:.3f}], 0.5 is chance"
        print_line(f"shift       {audit.shift.verdict} ({auc})")
        for name, words in zip(
            ("train", "test"), (audit.shift.first_words, audit.shift.second_words), strict=True
        ):
            if words:
                print_line(f"            in {name}: {', '.join(words)}")
    _print_labels(audit)
    _print_learning_curve(audit)
    _print_findings(audit)
    if audit.fixed is not None:
        fixed = audit.fixed
        print_line()
        print_line(
            f"{fixed.path}: {fixed.rows:,} rows; {fixed.dropped:,} dropped, {fixed.repaired:,} "
            f"repaired, {fixed.relabelled:,} relabelled"
        )
        print_line(f"changes: {fixed.changes}")


def _print_splits(audit: Audit) -> None:
    from ranklet.evaluation.report.table import Table

    rows: list[list[str]] = [["rows", *(f"{split.rows:,}" for split in audit.splits)]]
    for label in dict.fromkeys(name for split in audit.splits for name in split.labels):
        rows.append([f"label {label}", *(_share(split, label) for split in audit.splits)])
    rows.append(["words", *(_lengths(split.words) for split in audit.splits)])
    if audit.tokenizer is not None:
        tokens = [_lengths(split.tokens) for split in audit.splits if split.tokens is not None]
        rows.append([f"tokens ({audit.tokenizer})", *tokens])
        cut = [_rows_of(split.truncated or 0, split.rows) for split in audit.splits]
        rows.append([f"longer than {audit.max_length} tokens", *cut])
    for kind in dict.fromkeys(kind for split in audit.splits for kind in split.oddities):
        counts = [_rows_of(split.oddities.get(kind, 0), split.rows) for split in audit.splits]
        rows.append([kind, *counts])
    columns = ["", *(f"{split.name} {split.source}" for split in audit.splits)]
    print_table(Table("", columns, rows, texts=range(1, len(columns))))
    _print_unknown(audit)
    if audit.tokenizer is None:
        print_line("no encoder at hand: words are counted, tokens are not")


def _print_unknown(audit: Audit) -> None:
    from ranklet.data.tokens.tokenizer import MANY_UNKNOWN

    for split in audit.splits:
        if split.unknown is not None and split.unknown >= MANY_UNKNOWN:
            print_line(
                f"{split.name}: {split.unknown:.0%} of the tokens are unknown to this encoder "
                f"({audit.tokenizer})"
            )


def _print_labels(audit: Audit) -> None:
    from ranklet.data.hints import listed

    check = audit.label_check
    if check is None:
        print_line("labels      not judged")
        return
    if check.share is None:
        print_line("labels      no verdict: nothing here knows them better than their frequencies")
    else:
        views = ", ".join(name for name in check.views if name not in check.left_out)
        likely = _rows_of(check.likely_wrong, check.checked)
        print_line(f"labels      {likely} likely wrong, judged by {views}")
        print_line(f"            {_share_of_wrong(check.share)}")
    knows = "knows" if check.share and check.share.missing is not None else "agrees with"
    for name, agreement in check.views.items():
        say = " and has no say" if name in check.left_out else ""
        print_line(f"            {name}: {knows} {agreement:.1%} of the labels{say}")
    if check.share is not None and check.unjudged:
        print_line(f"            not recognised, so not judged: {listed(check.unjudged)}")
    for (given, suggested), rows in list(check.confusions.items())[:SHOWN_FINDINGS]:
        print_line(f"            {rows:,} of {given} are likely {suggested}")


def _share_of_wrong(share: WrongShare) -> str:
    if share.missing is not None:
        return f"estimated: {share.value:.1%} superfluous, {share.missing:.1%} missing"
    low, high = share.interval or (share.value, share.value)
    source = (
        f"95 %; {share.contradicting:,} of {share.copies:,} near copies contradict each other"
        if share.copies
        else "least and most by these views; more if one mistake is made again and again"
    )
    return f"estimated share of wrong labels {share.value:.1%} ({low:.1%} to {high:.1%}: {source})"


def _print_learning_curve(audit: Audit) -> None:
    curve = audit.learning_curve
    if curve is None:
        return
    print_line(f"more rows   {curve.verdict}")
    for point in curve.points:
        scores = f"accuracy {point.accuracy:.1%}, macro F1 {point.macro_f1:.1%}"
        print_line(f"            {point.rows:,} rows: {scores}")
    for label in curve.lacking:
        print_line(
            f"            {label.label} lacks rows: {label.rows:,}, of which {label.recall:.0%} "
            "are recognised"
        )


def _print_findings(audit: Audit) -> None:
    from ranklet.evaluation.report.table import Table

    shown: dict[str, int] = {}
    rows = []
    for finding in audit.findings:
        shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if shown[finding.kind] <= SHOWN_FINDINGS:
            score = "" if finding.score is None else f"{finding.score:.2f}"
            place = f"{finding.split}:{finding.line}"
            about = " ".join(filter(None, [finding.other, finding.detail]))
            rows.append([finding.kind, place, score, about, finding.text])
    if rows:
        print_line()
        columns = ["finding", "row", "score", "", "text"]
        print_table(Table("", columns, rows, texts=range(1, len(columns))))
    if any(count > SHOWN_FINDINGS for count in shown.values()):
        print_line(f"the first {SHOWN_FINDINGS} of each kind; --out FOLDER writes all of them")


def _lengths(lengths: Lengths) -> str:
    return (
        f"mean {lengths.mean:.1f}, median {lengths.median:.0f}, 95 % up to {lengths.p95:.0f}, "
        f"longest {lengths.longest:,}"
    )


def _share(split: SplitAudit, label: str) -> str:
    return _rows_of(split.labels.get(label, 0), sum(split.labels.values()))


def _rows_of(count: int, rows: int) -> str:
    return f"{count:,} ({count / max(rows, 1):.2%})"
