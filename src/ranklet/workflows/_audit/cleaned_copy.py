"""A cleaned copy of a data file, and a list of everything that was changed."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ranklet.data.audit.copies import Copy
from ranklet.data.audit.oddities import is_empty, repair
from ranklet.data.audit.result import CleanedCopy
from ranklet.data.examples import Examples
from ranklet.data.reading.memory import IN_MEMORY, RowsInMemory
from ranklet.data.reading.named_sets import BUNDLED_SETS, bundled_file
from ranklet.data.reading.row import Row
from ranklet.data.reading.rows import Wanted, read_rows
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.texts import in_one
from ranklet.errors import DataError, RunError
from ranklet.files import open_atomically
from ranklet.workflows._audit.findings import Copies
from ranklet.workflows._audit.labels import Suspect

LabelErrorPolicy = Literal["keep", "drop", "relabel"]

FIXABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".parquet")
CHANGE_COLUMNS = ("line", "change", "why", "column", "before", "after")


@dataclass(frozen=True)
class Decisions:
    """What happens to which rows, by their lines.

    Attributes:
        dropped: Why a row is left out.
        relabelled: New label of a row, by name, and why.
    """

    dropped: Mapping[int, str]
    relabelled: Mapping[int, tuple[str, str]]


def decide(
    train: Examples,
    copies: Copies,
    suspects: Mapping[int, Suspect],
    drop_near_duplicates: bool,
    label_errors: LabelErrorPolicy,
) -> Decisions:
    """Decide what happens to each row of a cleaned copy.

    Empty texts, exact duplicates of an earlier row and copies of test texts, near ones too, are
    dropped. Of several reasons the gravest is given.

    Args:
        train: The training rows.
        copies: Copies among them, and in test.
        suspects: Rows whose label is likely to be wrong.
        drop_near_duplicates: Drop near duplicates of earlier rows too.
        label_errors: What happens to `suspects`.
    """
    why: dict[int, str] = {}
    for row, suspect in suspects.items() if label_errors == "drop" else ():
        why[row] = _suspicion(suspect)
    for row, copy in copies.within.items():
        if copy.exact or drop_near_duplicates:
            why[row] = f"{_nearness(copy)} duplicate of line {train.lines[copy.other]}"
    why |= {row: f"{_nearness(copy)} copy of a test text" for row, copy in copies.in_test.items()}
    why |= {row: "empty text" for row, text in enumerate(train.texts) if is_empty(in_one(text))}
    relabelled = suspects if label_errors == "relabel" else {}
    return Decisions(
        dropped={train.lines[row]: reason for row, reason in why.items()},
        relabelled={
            train.lines[row]: (suspect.label, _suspicion(suspect))
            for row, suspect in relabelled.items()
        },
    )


def _nearness(copy: Copy) -> str:
    return "exact" if copy.exact else "near"


def _suspicion(suspect: Suspect) -> str:
    return f"label error, likely {suspect.label} (margin {suspect.margin:.2f})"


def changes_path(path: Path) -> Path:
    """Return where the changes of a cleaned copy are listed: `a.csv` has `a.changes.csv`."""
    return path.with_suffix(".changes.csv")


def fixable_file(source: str) -> Path:
    """Return the file of a source.

    Raises:
        DataError: It is not one file, and so has no cleaned copy.
    """
    if source in BUNDLED_SETS:
        return bundled_file(source, "train")
    path = Path(source).expanduser()
    if path.suffix.lower() not in FIXABLE_SUFFIXES:
        raise DataError("--fix copies a file; name one of " + ", ".join(FIXABLE_SUFFIXES), source)
    return path


def check_fix(source: str | RowsInMemory, output: Path, read: Iterable[str] = ()) -> None:
    """Refuse an output that cannot be written, before anything is computed.

    Args:
        source: What is copied.
        output: The copy.
        read: Other files that must stay as they are.

    Raises:
        DataError: The source is not one file.
        RunError: The output is no .csv file, has no folder, or would replace what is read.
    """
    if isinstance(source, RowsInMemory):
        raise DataError(
            "--fix copies a file; name one of " + ", ".join(FIXABLE_SUFFIXES), IN_MEMORY
        )
    file = fixable_file(source)
    if output.suffix.lower() != ".csv":
        raise RunError(f"{output}: unknown suffix {output.suffix!r}; --fix writes .csv")
    for written in (output, changes_path(output)):
        for other in (file, *map(Path, read)):
            # os.path, unlike Path, answers False for names that no file system takes.
            if os.path.exists(written) and os.path.exists(other) and written.samefile(other):
                raise RunError(f"{written}: is the input itself; name another --fix")
    if not output.absolute().parent.is_dir():
        raise RunError(f"{output}: there is no folder {output.parent}; create it first")


def write_fixed(
    source: str, settings: ReadingSettings, decisions: Decisions, output: Path
) -> CleanedCopy:
    """Write the cleaned copy and the list of its changes.

    Texts are repaired as `repair` does it. Columns keep their order; cells that are neither text
    nor integers, which only jsonl and parquet have, have no place in the copy and are listed.

    Args:
        source: File, or bundled set.
        settings: Which columns were read: the texts, which are repaired, and the label; names of
            the labels, where the file writes integers, and these.
        decisions: Rows to drop or relabel.
        output: The copy, csv.

    Returns:
        Where both files are, and how many rows changed.

    Raises:
        DataError: The file cannot be read any more.
        RunError: A file cannot be written.
    """
    text_column, label_column = settings.text_column, settings.label_column
    text_columns = [text_column] if isinstance(text_column, str) else text_column
    path = fixable_file(source)
    # The lines of plain text have columns only where some are wanted.
    wanted = [*text_columns, label_column or ""] if path.suffix.lower() == ".txt" else None
    rows = list(read_rows(path, Wanted(wanted, settings.dialect)))
    columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    spelling = _spelling(rows, label_column, settings.label_names, settings.label_values)
    kept: list[list[str]] = []
    changes: list[tuple[object, ...]] = []
    for row in rows:
        why = decisions.dropped.get(row.line)
        if why is not None:
            text = " ".join(row.cells.get(column, "") for column in text_columns)
            changes.append((row.line, "dropped", why, "", text, ""))
            continue
        cells, changed = _changed(row, text_columns, label_column, spelling, decisions)
        changes += [(row.line, *change) for change in changed]
        lost = [name for name in row.kinds if name not in row.cells]
        changes += [(row.line, "left out", row.kinds[name], name, "", "") for name in lost]
        kept.append([cells.get(column, "") for column in columns])
    _write(output, columns, kept)
    _write(changes_path(output), CHANGE_COLUMNS, changes)

    def lines(kind: str) -> int:
        return len({change[0] for change in changes if change[1] == kind})

    return CleanedCopy(
        path=output,
        changes=changes_path(output),
        rows=len(kept),
        dropped=lines("dropped"),
        repaired=lines("repaired"),
        relabelled=lines("relabelled"),
    )


def _spelling(
    rows: Sequence[Row],
    label_column: str | None,
    names: Sequence[str] | None,
    values: Sequence[int] | None,
) -> dict[str, str]:
    """Map the names of labels to integers, where that is how the file writes them."""
    if label_column is None or names is None or rows[0].cells[label_column] in names:
        return {}
    integers = range(len(names)) if values is None else values
    return {name: str(integer) for name, integer in zip(names, integers, strict=True)}


def _changed(
    row: Row,
    text_columns: Sequence[str],
    label_column: str | None,
    spelling: Mapping[str, str],
    decisions: Decisions,
) -> tuple[dict[str, str], list[tuple[str, str, str, str, str]]]:
    """Return the cells of a row as they are to be, and (change, why, column, before, after)."""
    cells = dict(row.cells)
    changes = []
    for column in text_columns:
        before = cells[column]
        cells[column], repaired = repair(before)
        if repaired:
            changes.append(("repaired", ", ".join(repaired), column, before, cells[column]))
    if label_column is not None and row.line in decisions.relabelled:
        name, why = decisions.relabelled[row.line]
        label = spelling.get(name, name)
        changes.append(("relabelled", why, label_column, cells[label_column], label))
        cells[label_column] = label
    return cells, changes


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with open_atomically(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
