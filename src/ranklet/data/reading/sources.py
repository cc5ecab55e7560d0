"""read_examples and stream_texts: from what a recipe or a user names to texts and labels.

A source is, in this order: the name of a set (`newsbites`, bundled; `ag_news`, from the hub), a
file with a known suffix, or `owner/name`, a data set of the hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.data.reading.hub_dataset import split_files
from ranklet.data.reading.named_sets import (
    BUNDLED_SETS,
    HUB_SETS,
    NAMED_SETS,
    bundled_file,
    known_labels,
)
from ranklet.data.reading.parquet import class_names
from ranklet.data.reading.row import Row, read_label, read_label_set, read_text
from ranklet.data.reading.rows import SUFFIXES, read_rows
from ranklet.data.reading.text_lines import TEXT_COLUMN
from ranklet.errors import DataError
from ranklet.labels import Label, names_of
from ranklet.vocabulary import ProblemType

Split = Literal["train", "validation", "test"]

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
FOREIGN_SUFFIXES = (".json", ".xlsx", ".xls", ".gz", ".zip", ".pkl", ".arrow", ".feather", ".npy")


def read_examples(
    source: str,
    split: Split,
    text_column: str | Sequence[str],
    label_column: str | None,
    label_names: Sequence[str] | None,
    problem_type: ProblemType = "single_label_classification",
    *,
    allow_empty: bool = False,
) -> Examples:
    """Read one split as a whole.

    Args:
        source: Named set, file or hub data set; see the module. A file is read whole, whatever the
            split; named sets and hub data sets have a part for each.
        split: Part to read.
        text_column: Column of the text, or several, joined by a space.
        label_column: Column of the label, or None for a source without labels.
        label_names: Names of the labels 0 .. n-1, or None where labels are names already. Parquet
            files that carry class names use those.
        problem_type: Whether a text has one label or any number of them.
        allow_empty: Take empty texts as they are; otherwise they are refused.

    Raises:
        DataError: A source, column, text or label that cannot be used, with its line.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A parquet file without pyarrow.
    """
    files, name = _resolve(source, split)
    texts: list[str] = []
    labels: list[Label] = []
    lines: list[int] = []
    for file in files:
        before = len(texts)
        for line, text, label in _records(
            file, text_column, label_column, problem_type, allow_empty
        ):
            texts.append(text)
            labels.append(label)
            lines.append(before + line if len(files) > 1 else line)
    names = label_names or known_labels(source) or _stored_names(files[0], label_column)
    found = Examples(tuple(texts), tuple(labels) if label_column else None, tuple(lines), name)
    return _with_label_names(found, tuple(names)) if names else found


def stream_texts(path: Path, text_column: str | Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each row, in constant memory; empty texts are allowed.

    A `.txt` file has one text per line, whatever `text_column` says.

    Raises:
        DataError: A file, column or text that cannot be used, with its line.
        MissingExtraError: A parquet file without pyarrow.
    """
    _check_file(path)
    columns = _text_columns(path, text_column)
    for row in read_rows(path, columns):
        yield row.line, _joined(row, columns, str(path))


def read_column(source: str, split: Split, column: str) -> list[str]:
    """Read any column of one split, in the order of `read_examples`.

    Args:
        source: Named set, file or hub data set; see the module.
        split: Part to read.
        column: Its name; integers become decimal text, what is missing in a row is empty.

    Raises:
        DataError: No row has the column, or a cell that is neither text nor an integer.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A parquet file without pyarrow.
    """
    files, name = _resolve(source, split)
    cells: list[str] = []
    known: set[str] = set()
    for file in files:
        for row in read_rows(file, [column] if file.suffix.lower() == ".parquet" else None):
            kind = row.kinds.get(column, "a null")
            if column not in row.cells and kind != "a null":
                problem = f"found {kind} where a text or an integer must stand"
                raise DataError(f"{problem}; texts are told apart by such only", name, row.line)
            known |= row.cells.keys()
            cells.append(row.cells.get(column, ""))
    if column not in known:
        raise DataError(f"no column {column!r}; the columns are {listed(sorted(known))}", name)
    return cells


def is_on_hub(source: str) -> bool:
    """Tell whether reading a source may need a download."""
    if source in HUB_SETS:
        return True
    is_file = Path(source).suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES)
    return not is_file and not os.path.exists(source) and bool(HUB_ID.fullmatch(source))


def _resolve(source: str, split: Split) -> tuple[list[Path], str]:
    """Return the files of a split and the name that messages use."""
    if source in BUNDLED_SETS:
        return [bundled_file(source, split)], f"{source}/{split}.csv"
    if source in HUB_SETS:
        return split_files(HUB_SETS[source], split), f"{source}/{split}"
    path = Path(source).expanduser()
    known = path.suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES)
    if known or (source and os.path.exists(path)):
        _check_file(path)
        return [path], source
    if HUB_ID.fullmatch(source):
        return split_files(source, split), f"{source}/{split}"
    raise DataError(
        f"no such data; give a file ({', '.join(SUFFIXES)}), a hub data set (owner/name), or one of"
        f" {listed(NAMED_SETS)}{nearest(source, NAMED_SETS)}",
        source,
    )


def _check_file(path: Path) -> None:
    # os.path, unlike Path, answers False for names that no file system takes.
    if os.path.isdir(path):
        raise DataError(f"is a folder; name a file in it ({', '.join(SUFFIXES)})", str(path))
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"unknown suffix {path.suffix!r}; allowed are {', '.join(SUFFIXES)}", str(path)
        )
    if not os.path.exists(path):
        raise DataError(f"no such file{_near_files(path)}", str(path))


def _near_files(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"; there is no folder {str(path.parent)!r}"
    names = sorted(name for name in os.listdir(path.parent) if name.lower().endswith(SUFFIXES))
    near = get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        return f"; near names in that folder: {listed(near)}"
    return f"; that folder holds {listed(names)}" if names else "; that folder holds no data file"


def _records(
    file: Path,
    text_column: str | Sequence[str],
    label_column: str | None,
    problem_type: ProblemType,
    allow_empty: bool,
) -> Iterator[tuple[int, str, Label]]:
    """Yield (line, text, label); the label is empty where there is no label column."""
    columns = _text_columns(file, text_column)
    wanted = [*columns, label_column] if label_column else columns
    read = read_label if problem_type == "single_label_classification" else read_label_set
    for row in read_rows(file, wanted):
        text = _joined(row, columns, str(file))
        if not text.strip() and not allow_empty:
            raise DataError(
                "empty text; delete the row or fill it in", str(file), row.line, " + ".join(columns)
            )
        yield row.line, text, read(row, label_column, str(file)) if label_column else ""


def _text_columns(path: Path, text_column: str | Sequence[str]) -> list[str]:
    if path.suffix.lower() == ".txt":
        return [TEXT_COLUMN]
    return [text_column] if isinstance(text_column, str) else list(text_column)


def _joined(row: Row, columns: Sequence[str], source: str) -> str:
    return " ".join(read_text(row, column, source) for column in columns)


def _stored_names(file: Path, label_column: str | None) -> tuple[str, ...] | None:
    if label_column is None or file.suffix.lower() != ".parquet":
        return None
    return class_names(file, label_column)


def _with_label_names(examples: Examples, names: tuple[str, ...]) -> Examples:
    """Replace the labels "0" .. "n-1" by names, unless they are those names already."""
    if examples.labels is None:
        return replace(examples, label_names=names)
    found = [name for label in examples.labels for name in names_of(label)]
    if set(found) <= set(names):
        return replace(examples, label_names=names)
    by_index = {str(index): name for index, name in enumerate(names)}
    allowed = _label_mode(found, names, by_index)
    for label, line in zip(examples.labels, examples.lines, strict=True):
        for name in names_of(label):
            if name not in allowed:
                raise DataError(
                    f"label {name!r} is not one of {listed(names)}, nor an integer from 0 to "
                    f"{len(names) - 1}{nearest(name, names)}",
                    examples.source,
                    line,
                )
    labels = tuple(_renamed(label, by_index) for label in examples.labels)
    return replace(examples, labels=labels, label_names=names)


def _renamed(label: Label, names: Mapping[str, str]) -> Label:
    if isinstance(label, str):
        return names[label]
    return tuple(sorted(names[name] for name in label))


def _label_mode(labels: Sequence[str], names: Iterable[str], by_index: Iterable[str]) -> set[str]:
    """Return the spelling that a file uses, judged by its first label."""
    return set(names) if labels[0] in set(names) else set(by_index)
