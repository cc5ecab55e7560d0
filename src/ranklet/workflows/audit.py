"""What is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from ranklet.data.audit.result import Audit, Finding, to_json
from ranklet.data.audit.train_test_shift import find_shift
from ranklet.data.cleaning import clean
from ranklet.data.examples import Examples
from ranklet.data.reading.sources import Split, read_examples
from ranklet.data.reading.text_lines import TEXT_COLUMN
from ranklet.encoder.source import EncoderSource
from ranklet.errors import DataError, MissingExtraError
from ranklet.files import make_folder, open_atomically, write_atomically
from ranklet.recipe import DataSection, load_recipe
from ranklet.run.folder import open_run
from ranklet.vocabulary import Device, Precision
from ranklet.workflows._audit.cleaned_copy import LabelErrorPolicy, check_fix, decide, write_fixed
from ranklet.workflows._audit.findings import (
    compare,
    copy_findings,
    count_copies,
    label_findings,
    leakage,
)
from ranklet.workflows._audit.labels import Suspect, check_labels
from ranklet.workflows._audit.split_description import describe_split

LabelViews = Literal["auto", "words", "none"]


@dataclass(frozen=True)
class Reading:
    """How the texts of an audit are read.

    Attributes:
        section: Columns, label names, cleaning and longest text, as in a recipe.
        encoder: Whose tokenizer counts and whose states judge labels; None where none is at hand.
        label_column: Column of the label; None for texts without labels.
    """

    section: DataSection
    encoder: str | None
    label_column: str | None


def audit(
    data: str,
    test: str | None = None,
    *,
    run: str | Path | None = None,
    encoder: str | None = None,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    label_names: Sequence[str] | None = None,
    max_length: int | None = None,
    label_views: LabelViews = "auto",
    fix: str | Path | None = None,
    drop_near_duplicates: bool = False,
    label_errors: LabelErrorPolicy = "keep",
    out: str | Path | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    observe: Callable[[str], None] = lambda line: None,
) -> Audit:
    """Audit the data of a training: texts, copies, leakage, shift and likely label errors.

    Args:
        data: Training texts: file, named set or hub data set.
        test: Test texts, to compare with; None: only the training texts.
        run: Run whose columns, cleaning, longest text and encoder are used.
        encoder: Used instead of the encoder of the run; None: minilm, if it is installed.
        text_column: Column of the text, or several; None: as in the run, else `text`.
        label_column: Column of the label; None: as in the run, else `label`; empty: no labels.
        label_names: Label names in the order of integers, where there is no run.
        max_length: Longest text in tokens; None: as in the run, else 128.
        label_views: What labels, or sets of them, are judged by: `auto`, words and the frozen
            encoder, which takes as long as predicting all texts; `words` alone; or `none`.
        fix: Csv file to write: a copy of `data`, which must be one file, with repaired texts and
            without empty ones, exact duplicates and copies of test texts. Every change is listed
            beside it, in `NAME.changes.csv`.
        drop_near_duplicates: Leave near duplicates within train out of the copy too.
        label_errors: What happens to likely label errors in the copy.
        out: Folder for `audit.json` and `findings.csv`.
        device: Where the encoder computes.
        precision: Compute dtype of the encoder.
        observe: Receives a line at each long stage.

    Returns:
        Everything that was found.

    Raises:
        DataError: The data cannot be read, or cannot be fixed as asked.
        RunError: There is no such run, or a file cannot be written.
        RankletError: The encoder cannot be loaded.
    """
    reading = _reading(run, encoder, text_column, label_column, label_names, max_length)
    if fix is not None:
        check_fix(data, Path(fix), [] if test is None else [test])
    train = _read(reading, data, "train")
    held_out = None if test is None else _read(reading, test, "test")
    if held_out is not None and test == data and held_out.texts == train.texts:
        raise DataError("is the training data itself; name other test data", held_out.source)
    observe("comparing texts")
    cleaned = _cleaned(train, reading)
    cleaned_test = None if held_out is None else _cleaned(held_out, reading)
    copies = compare(cleaned, cleaned_test)
    check, suspects = None, dict[int, Suspect]()
    if label_views != "none":
        judge = reading.encoder if label_views == "auto" else None
        longest = reading.section.max_length
        check, suspects = check_labels(cleaned, judge, longest, device, precision, observe)
    observe("describing texts")
    described = [
        describe_split(split, name, reading.encoder, reading.section)
        for name, split in (("train", train), ("test", held_out))
        if split is not None
    ]
    found = Audit(
        splits=tuple(split for split, _ in described),
        max_length=reading.section.max_length,
        tokenizer=reading.encoder,
        duplicates=count_copies(copies.within, train, train),
        leakage=None if held_out is None else leakage(copies, train, held_out),
        shift=None if cleaned_test is None else find_shift(cleaned.texts, cleaned_test.texts),
        label_check=check,
        findings=(
            *copy_findings(copies, train, held_out),
            *label_findings(suspects, train),
            *(finding for _, findings in described for finding in findings),
        ),
    )
    if fix is not None:
        decisions = decide(train, copies, suspects, drop_near_duplicates, label_errors)
        columns = _text_columns(reading.section, data)
        label = None if train.labels is None else reading.label_column
        fixed = write_fixed(data, columns, label, train.label_names, decisions, Path(fix))
        found = replace(found, fixed=fixed)
    if out is not None:
        _write(found, Path(out))
    return found


def _reading(
    run: str | Path | None,
    encoder: str | None,
    text_column: str | Sequence[str] | None,
    label_column: str | None,
    label_names: Sequence[str] | None,
    max_length: int | None,
) -> Reading:
    recipe = None if run is None else load_recipe(open_run(Path(run)).recipe)
    section = DataSection(train="-") if recipe is None else recipe.data
    changes = {
        "text_column": text_column if isinstance(text_column, str | None) else tuple(text_column),
        "label_column": label_column or None,
        "label_names": None if label_names is None else tuple(label_names),
        "max_length": max_length,
    }
    section = section.model_copy(update={k: v for k, v in changes.items() if v is not None})
    chosen = encoder or (_minilm() if recipe is None else recipe.encoder)
    return Reading(section, chosen, None if label_column == "" else section.label_column)


def _minilm() -> str | None:
    with suppress(MissingExtraError):
        _ = EncoderSource("minilm").folder
        return "minilm"
    return None


def _read(reading: Reading, source: str, split: Split) -> Examples:
    # A .txt file has texts alone.
    label_column = None if source.lower().endswith(".txt") else reading.label_column
    section = reading.section
    return read_examples(
        source,
        split,
        section.text_column,
        label_column,
        section.label_names,
        section.problem_type,
        allow_empty=True,
    )


def _cleaned(examples: Examples, reading: Reading) -> Examples:
    steps = reading.section.cleaning
    return replace(examples, texts=tuple(clean(text, steps) for text in examples.texts))


def _text_columns(section: DataSection, source: str) -> list[str]:
    if source.lower().endswith(".txt"):
        return [TEXT_COLUMN]
    column = section.text_column
    return [column] if isinstance(column, str) else list(column)


def _write(audit: Audit, folder: Path) -> None:
    make_folder(folder)
    summary = {name: value for name, value in to_json(audit).items() if name != "findings"}
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    write_atomically(folder / "audit.json", text + "\n")
    with open_atomically(folder / "findings.csv") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(field.name for field in fields(Finding))
        table.writerows(map(astuple, audit.findings))
