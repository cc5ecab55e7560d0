"""What is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from ranklet.data.audit.result import (
    Audit,
    CleanedCopy,
    Finding,
    LabelCheck,
    LearningCurve,
    to_json,
)
from ranklet.data.audit.train_test_shift import find_shift
from ranklet.data.cleaning import clean_text
from ranklet.data.examples import Examples
from ranklet.data.reading.columns import AS_IN_RUN, Columns, with_columns
from ranklet.data.reading.memory import TEXT, Data, RowsInMemory, as_source
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples
from ranklet.data.texts import in_one
from ranklet.encoder.source import EncoderSource
from ranklet.errors import DataError, MissingExtraError
from ranklet.files import make_folder, open_atomically, write_atomically
from ranklet.foreign_text import as_cell
from ranklet.recipe import DataSection, load_recipe
from ranklet.run.folder import Run
from ranklet.run.model_source import ModelSource, as_model_source, read_classifier, run_of
from ranklet.vocabulary import Device, Precision, Split
from ranklet.workflows._audit.cleaned_copy import LabelErrorPolicy, check_fix, decide, write_fixed
from ranklet.workflows._audit.findings import (
    Copies,
    compare,
    copy_findings,
    count_copies,
    label_findings,
    leakage,
)
from ranklet.workflows._audit.label_sets import check_label_sets
from ranklet.workflows._audit.labels import Suspect, check_labels
from ranklet.workflows._audit.learning_curve import learning_curve
from ranklet.workflows._audit.split_description import describe_split
from ranklet.workflows._audit.states import frozen_states
from ranklet.workflows.from_recipe.reading_settings import reading_settings

LabelViews = Literal["auto", "words", "none"]


@dataclass(frozen=True)
class Fix:
    """What a cleaned copy leaves out besides empty texts, exact duplicates and copies of test.

    Attributes:
        path: Csv file to write.
        drop_near_duplicates: Leave out near duplicates within train too.
        label_errors: What happens to likely label errors.
    """

    path: str | Path
    drop_near_duplicates: bool = False
    label_errors: LabelErrorPolicy = "keep"


@dataclass(frozen=True)
class AuditFolder:
    """Where an audit is written.

    Attributes:
        path: Folder for `audit.json` and `findings.csv`.
        escape_formulas: Put an apostrophe before a cell that a spreadsheet would compute: one that
            begins with `=`, `+`, `-`, `@` or a tab.
    """

    path: str | Path
    escape_formulas: bool = False


@dataclass(frozen=True)
class Reading:
    """How the texts of an audit are read.

    Attributes:
        section: Cleaning and longest text, as in a recipe.
        settings: Which columns are read, and what they mean; empty texts are allowed.
        encoder: Whose tokenizer counts and whose states judge labels; None where none is at hand.
        precision: Compute dtype of the encoder; `auto` of the run is what its recipe says.
    """

    section: DataSection
    settings: ReadingSettings
    encoder: str | None
    precision: Precision


def audit(
    data: Data,
    test: Data | None = None,
    *,
    run: str | Path | Run | ModelSource | None = None,
    columns: Columns = AS_IN_RUN,
    max_length: int | None = None,
    label_views: LabelViews = "auto",
    fix: str | Path | Fix | None = None,
    out: str | Path | AuditFolder | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Audit:
    """Audit the data of a training: texts, copies, leakage, shift and likely label errors.

    Args:
        data: Training texts: file, named set or hub data set, or texts in memory.
        test: Test texts, to compare with; None: only the training texts.
        run: Run whose columns, cleaning, longest text and encoder are used, or an adapter or whole
            classifier, whose encoder is; a `ModelSource` names another encoder or the meaning of
            integer labels, with a run or without. Where there is neither, the encoder is minilm,
            if it is installed.
        columns: Where texts and labels stand; an empty `label`: there are no labels.
        max_length: Longest text in tokens; None: as of the run or classifier, else 128.
        label_views: What labels, or sets of them, are judged by: `auto`, words and the frozen
            encoder, which takes as long as predicting all texts; `words` alone; or `none`.
        fix: Csv file to write: a copy of `data`, which must be one file, with repaired texts and
            without empty ones, exact duplicates and copies of test texts; a `Fix` leaves out more.
            Every change is listed beside it, in `NAME.changes.csv`.
        out: Folder for `audit.json` and `findings.csv`; an `AuditFolder` escapes formulas there.
        report: Receives a line at each long stage.

    Returns:
        Everything that was found.

    Raises:
        DataError: The data cannot be read, or cannot be fixed as asked.
        RunError: There is no such run, or a file cannot be written.
        RankletError: The encoder cannot be loaded.
    """
    model = ModelSource() if run is None else as_model_source(run)
    reading = _reading(model, columns, max_length)
    section = reading.section
    source, other = as_source(data), None if test is None else as_source(test)
    fix = _as_fix(fix, reading.settings)
    if fix is not None:
        check_fix(source, Path(fix.path), [other] if isinstance(other, str) else [])
    train = _read(reading, source, "train")
    held_out = None if other is None else _read(reading, other, "test")
    if held_out is not None and other == source and held_out.texts == train.texts:
        raise DataError("is the training data itself; name other test data", held_out.source)
    if fix is not None and fix.label_errors == "relabel" and train.multi_label:
        raise DataError("several labels a text cannot be relabelled; keep or drop", train.source)
    report("comparing texts")
    cleaned = _cleaned(train, reading)
    cleaned_test = None if held_out is None else _cleaned(held_out, reading)
    copies = compare(cleaned, cleaned_test)
    judgement = _Judgement()
    if label_views != "none" and train.labels is not None:
        encoder = reading.encoder if label_views == "auto" else None
        judgement = _judge(cleaned, encoder, copies, reading, model.device, report)
    report("describing texts")
    described = [
        describe_split(split, name, reading.encoder, section.cleaning, section.max_length)
        for name, split in (("train", train), ("test", held_out))
        if split is not None
    ]
    result = Audit(
        splits=tuple(split for split, _ in described),
        max_length=section.max_length,
        tokenizer=reading.encoder,
        duplicates=count_copies(copies.within, train, train),
        leakage=None if held_out is None else leakage(copies, train, held_out),
        shift=None if cleaned_test is None else find_shift(_plain(cleaned), _plain(cleaned_test)),
        label_check=judgement.check,
        findings=(
            *copy_findings(copies, train, held_out),
            *label_findings(judgement.suspects, train),
            *(finding for _, findings in described for finding in findings),
        ),
        not_compared=copies.open,
        learning_curve=judgement.curve,
    )
    if fix is not None:
        assert isinstance(source, str), "check_fix refuses everything else"
        fixed = _write_fix(fix, source, train, copies, judgement.suspects, reading.settings)
        result = replace(result, fixed=fixed)
    if out is not None:
        _write(result, AuditFolder(out) if isinstance(out, str | Path) else out)
    return result


@dataclass(frozen=True)
class _Judgement:
    """What labels were found to be.

    Attributes:
        check: The figures.
        suspects: What is likely to be wrong, by row.
        curve: What more rows would bring.
    """

    check: LabelCheck | None = None
    suspects: Mapping[int, Suspect] = field(default_factory=dict)
    curve: LearningCurve | None = None


def _judge(
    examples: Examples,
    encoder: str | None,
    copies: Copies,
    reading: Reading,
    device: Device,
    report: Callable[[str], None],
) -> _Judgement:
    states = None
    if encoder is not None and len(examples):
        report(f"computing the states of {len(examples):,} texts with {encoder}")
        length, precision = reading.section.max_length, reading.precision
        states = frozen_states(encoder, examples.texts, length, device, precision)
    if examples.multi_label:
        return _Judgement(*check_label_sets(examples, encoder, states, report))
    check, suspects = check_labels(examples, encoder, states, copies.within, report)
    curve = None if states is None else learning_curve(examples, states, report)
    return _Judgement(check, suspects, curve)


def _write_fix(
    fix: Fix,
    source: str,
    train: Examples,
    copies: Copies,
    suspects: Mapping[int, Suspect],
    settings: ReadingSettings,
) -> CleanedCopy:
    decisions = decide(train, copies, suspects, fix.drop_near_duplicates, fix.label_errors)
    label_columns_differ = train.labels is None or settings.label_columns is not None
    fixed_settings = replace(
        settings,
        text_column=_text_columns(settings, source),
        label_column=None if label_columns_differ else settings.label_column,
        label_names=train.label_names,
        label_values=train.label_values,
    )
    return write_fixed(source, fixed_settings, decisions, Path(fix.path))


def _as_fix(fix: str | Path | Fix | None, settings: ReadingSettings) -> Fix | None:
    if fix is None or isinstance(fix, str | Path):
        return None if fix is None else Fix(Path(fix))
    if fix.label_errors == "relabel" and settings.label_columns:
        columns = " + ".join(settings.label_columns)
        raise DataError("labels in several columns cannot be relabelled; keep or drop", columns)
    return fix


def _reading(model: ModelSource, columns: Columns, max_length: int | None) -> Reading:
    run = None if model.path is None else run_of(model)
    recipe = None if run is None else load_recipe(run.recipe)
    section = DataSection(train="-") if recipe is None else recipe.data
    # A classifier that is no run says less, and nothing of columns.
    bare = None if model.path is None or recipe is not None else read_classifier(model).settings
    if bare is not None:
        known = {"max_length": bare.max_length, "problem_type": bare.problem_type}
        section = section.model_copy(update=known)
    section = section.model_copy(update={"max_length": max_length or section.max_length})
    settings = with_columns(reading_settings(section), columns)
    settings = replace(
        settings,
        label_column=None if columns.label == "" else settings.label_column,
        label_names=model.label_names or settings.label_names,
        empty="keep",
    )
    if settings.label_separator is not None:
        settings = replace(settings, problem_type="multi_label_classification")
    stated = recipe or bare
    encoder = model.encoder or (_minilm() if stated is None else stated.encoder)
    precision = model.precision
    if recipe is not None and precision == "auto":
        precision = recipe.engine.precision
    return Reading(section, settings, encoder, precision)


def _minilm() -> str | None:
    with suppress(MissingExtraError):
        _ = EncoderSource("minilm").folder
        return "minilm"
    return None


def _read(reading: Reading, source: str | RowsInMemory, split: Split) -> Examples:
    if isinstance(source, str):
        texts_alone = source.lower().endswith(".txt")
    else:
        texts_alone = source.are_texts_alone
    settings = reading.settings
    return read_examples(
        source, split, replace(settings, label_column=None) if texts_alone else settings
    )


def _cleaned(examples: Examples, reading: Reading) -> Examples:
    steps = reading.section.cleaning
    return replace(examples, texts=tuple(clean_text(text, steps) for text in examples.texts))


def _plain(examples: Examples) -> list[str]:
    return [in_one(text) for text in examples.texts]


def _text_columns(settings: ReadingSettings, source: str) -> list[str]:
    if source.lower().endswith(".txt"):
        return [TEXT]
    column = settings.text_column
    return [column] if isinstance(column, str) else list(column)


def _write(audit: Audit, out: AuditFolder) -> None:
    folder = Path(out.path)
    make_folder(folder)
    summary = {name: value for name, value in to_json(audit).items() if name != "findings"}
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    write_atomically(folder / "audit.json", text + "\n")
    with open_atomically(folder / "findings.csv") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(field.name for field in fields(Finding))
        rows = map(astuple, audit.findings)
        table.writerows([as_cell(value, out.escape_formulas) for value in row] for row in rows)
