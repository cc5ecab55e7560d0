"""Part: one table of a source, in a file or in memory, and how its rows are had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from ranklet.data.reading.arrow import class_names_of_arrow
from ranklet.data.reading.dialect import Dialect
from ranklet.data.reading.formats import Format
from ranklet.data.reading.lines import open_binary
from ranklet.data.reading.memory import IN_MEMORY, LABEL, TEXT, RowsInMemory
from ranklet.data.reading.parquet import class_names
from ranklet.data.reading.pickles.read import class_names as class_names_of_pickle
from ranklet.data.reading.plain_text import read_text_lines, read_whole_text
from ranklet.data.reading.records import Record, read_records
from ranklet.data.reading.row import Row
from ranklet.data.reading.rows import Wanted, opened, read_rows
from ranklet.data.reading.settings import ReadingSettings
from ranklet.errors import DataError
from ranklet.files import sha256_json

MAPPING = "mapping.txt"
CLASS_NAMES = {
    "parquet": class_names,
    "arrow": class_names_of_arrow,
    "pickle": class_names_of_pickle,
}


@dataclass(frozen=True)
class Part:
    """One table of a source, or all rows in memory.

    Attributes:
        origin: The file, or the rows.
        content: Bytes of the file, where they are read at once.
        table: Which of several tables in the file; empty: the only one, or that of `split`.
        split: Split to take where a file holds several.
        label: Label of a file that is one text; None: the file is a table.
        label_file: File with the labels of a file of texts, line by line.
    """

    origin: Path | RowsInMemory
    content: bytes | None = None
    table: str = ""
    split: str | None = None
    label: str | None = None
    label_file: Path | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return IN_MEMORY if isinstance(self.origin, RowsInMemory) else str(self.origin)

    @cached_property
    def format(self) -> Format | None:
        """The format of a file; None of rows in memory."""
        if isinstance(self.origin, RowsInMemory):
            return None
        with opened(self.origin, self.content, self.table) as (_, kind, _):
            return kind

    def rows(
        self,
        columns: Sequence[str] | None,
        dialect: Dialect,
        note: Callable[[str], None] = lambda text: None,
    ) -> Iterable[Row]:
        """Return the rows, as `read_rows` does; `note` receives what a person should know."""
        if isinstance(self.origin, RowsInMemory):
            return self.origin.rows
        if self.label is not None:
            with self._open() as file:
                row = read_whole_text(file, self.name, dialect.encoding)
            return [replace(row, cells={**row.cells, LABEL: self.label})]
        if self.label_file is not None:
            return self._parallel_rows(self.label_file, dialect)
        wanted = Wanted(columns, dialect, self.table, self.split, note)
        return read_rows(self.origin, wanted, self.content)

    def records(
        self, settings: ReadingSettings, note: Callable[[str], None] = lambda text: None
    ) -> Iterator[Record]:
        """Yield the records, as `read_records` does; `note` is that of `rows`."""
        columns, label_columns = self.text_columns(settings), self.label_columns(settings)
        rows = self.rows([*columns, *label_columns], settings.dialect, note)
        return read_records(rows, columns, label_columns, self.name, settings)

    def label_columns(self, settings: ReadingSettings) -> list[str]:
        """Return the columns of the label: none, one, or one for each label."""
        label_column = self.label_column(settings)
        if label_column is None or settings.label_columns is None:
            return [] if label_column is None else [label_column]
        return list(settings.label_columns)

    def table_dialect(self, dialect: Dialect) -> Dialect:
        """Return the dialect of a file of labelled texts: lines with tabs are a table."""
        is_stated = bool(dialect.separator or dialect.columns)
        is_no_table = self.label is not None or self.label_file is not None
        if is_stated or is_no_table or self.format != "lines":  # which opens the file
            return dialect
        first = next(iter(self.rows(None, dialect)), None)
        has_tab = first is not None and "\t" in first.cells[TEXT]
        return replace(dialect, separator="\t") if has_tab else dialect

    def text_columns(self, settings: ReadingSettings) -> list[str]:
        """Return the columns of the text, of which some formats have one of a fixed name."""
        if self._names_no_columns(settings):
            return [TEXT]
        column = settings.text_column
        return [column] if isinstance(column, str) else list(column)

    def label_column(self, settings: ReadingSettings) -> str | None:
        """Return the column of the label; the name is fixed where that of the text is."""
        if settings.label_column is None or not self._names_no_columns(settings):
            return settings.label_column
        if isinstance(self.origin, RowsInMemory) and self.origin.are_texts_alone:
            raise DataError("are without labels; give (texts, labels)", IN_MEMORY)
        return LABEL

    def class_names(self, label_column: str | None) -> tuple[str, ...] | None:
        """Return the names that a source knows for the integers of a column."""
        if label_column is None:
            return None
        if isinstance(self.origin, RowsInMemory):
            return self.origin.class_names.get(label_column)
        if self.label is not None:
            return None
        if self.label_file is not None:
            return _mapped_names(self.origin.with_name(MAPPING))
        reader = CLASS_NAMES.get(str(self.format))
        if reader is None:
            return None
        with opened(self.origin, self.content, self.table) as (file, _, _):
            return reader(file, self.name, label_column)

    def read_at_once(self) -> Part:
        """Return it with the bytes of its file."""
        if isinstance(self.origin, RowsInMemory):
            return self
        with open_binary(self.origin) as file:
            return replace(self, content=file.read())

    def sha256(self) -> str | None:
        """Return the hash of the file, and of what belongs to it; None where it is not read yet."""
        if self.content is None:
            return None
        own = sha256(self.content).hexdigest()
        if self.label is None and self.label_file is None:
            return own
        labels = self.label if self.label_file is None else self.label_file.read_text("utf-8")
        return sha256_json([own, labels])

    def _open(self) -> BinaryIO:
        assert isinstance(self.origin, Path)
        return open_binary(self.origin) if self.content is None else BytesIO(self.content)

    def _names_no_columns(self, settings: ReadingSettings) -> bool:
        if isinstance(self.origin, RowsInMemory):
            return not self.origin.has_columns
        if self.label is not None or self.label_file is not None or self.format == "fasttext":
            return True
        stated = settings.dialect.columns or settings.dialect.separator or settings.label_column
        return self.format == "lines" and not stated

    def _parallel_rows(self, label_file: Path, dialect: Dialect) -> Iterator[Row]:
        with self._open() as texts, open_binary(label_file) as labels:
            text_rows = read_text_lines(texts, self.name, dialect.encoding)
            label_rows = read_text_lines(labels, str(label_file), dialect.encoding)
            for text, label in zip_longest(text_rows, label_rows):
                if text is None or label is None:
                    shorter, longer = self.name, str(label_file)
                    if label is None:
                        shorter, longer = longer, shorter
                    message = f"ends before {longer}; both need a line for each text"
                    raise DataError(message, shorter)
                yield replace(text, cells={**text.cells, LABEL: label.cells[TEXT].strip()})


def label_file_of(path: Path) -> Path | None:
    """Return the file of the labels of a file of texts, as `x_labels.txt` of `x_text.txt`."""
    for word, labels in (("text", "labels"), ("texts", "labels"), ("text", "label")):
        if path.suffix.lower() == ".txt" and path.stem.lower().endswith(word):
            other = path.with_name(path.stem[: -len(word)] + labels + path.suffix)
            if os.path.isfile(other):
                return other
    return None


def _mapped_names(path: Path) -> tuple[str, ...] | None:
    """Return the names in a file of lines of a number and a name, if they count from 0."""
    if not path.is_file():
        return None
    with open_binary(path) as file:
        lines = [
            row.cells[TEXT].split(maxsplit=1) for row in read_text_lines(file, str(path), None)
        ]
    numbers = [line[0] for line in lines if line]
    if numbers != [str(number) for number in range(len(lines))] or any(map(_is_short, lines)):
        return None
    return tuple(name.strip() for _, name in lines)


def _is_short(line: Sequence[str]) -> bool:
    return len(line) < 2
