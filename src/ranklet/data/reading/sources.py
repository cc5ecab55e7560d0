"""From what a recipe or a user names, or hands over, to texts and labels.

A name is, in this order: that of a set (`newsbites`, bundled; `ag_news`, from the hub), a file with
a known suffix, or `owner/name`, a data set of the hub. What is handed over are texts in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Literal

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect, traits
from ranklet.data.reading.hub_dataset import split_files
from ranklet.data.reading.labelled import with_labels
from ranklet.data.reading.lines import open_binary
from ranklet.data.reading.memory import (
    IN_MEMORY,
    LABEL,
    TEXT,
    Data,
    RowsInMemory,
    as_source,
)
from ranklet.data.reading.named_sets import (
    BUNDLED_SETS,
    HUB_SETS,
    NAMED_SETS,
    SET_LABELS,
    bundled_file,
)
from ranklet.data.reading.parquet import class_names
from ranklet.data.reading.records import Record, read_records
from ranklet.data.reading.row import Row
from ranklet.data.reading.rows import SUFFIXES, read_rows
from ranklet.data.reading.settings import PLAIN, ReadingSettings
from ranklet.data.texts import Text
from ranklet.errors import DataError
from ranklet.files import sha256_json
from ranklet.labels import Label

Split = Literal["train", "validation", "test"]

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
FOREIGN_SUFFIXES = (".json", ".xlsx", ".xls", ".gz", ".zip", ".pkl", ".arrow", ".feather", ".npy")


@dataclass(frozen=True)
class Part:
    """One file of a source, or all rows in memory.

    Attributes:
        origin: The file, or the rows.
        content: Bytes of the file, where they are read at once.
    """

    origin: Path | RowsInMemory
    content: bytes | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return IN_MEMORY if isinstance(self.origin, RowsInMemory) else str(self.origin)

    @property
    def suffix(self) -> str:
        """The format of a file; nothing of rows in memory."""
        return "" if isinstance(self.origin, RowsInMemory) else self.origin.suffix.lower()

    def rows(self, columns: Sequence[str] | None, dialect: Dialect) -> Iterable[Row]:
        """Return the rows, as `read_rows` does."""
        if isinstance(self.origin, RowsInMemory):
            return self.origin.rows
        return read_rows(self.origin, columns, self.content, dialect)

    def records(self, settings: ReadingSettings) -> Iterator[Record]:
        """Yield the records, as `read_records` does."""
        columns = self.text_columns(settings.text_column)
        label_columns = self.label_columns(settings)
        rows = self.rows([*columns, *label_columns], settings.dialect)
        return read_records(rows, columns, label_columns, self.name, settings)

    def label_columns(self, settings: ReadingSettings) -> list[str]:
        """Return the columns of the label: none, one, or one for each label."""
        label_column = self.label_column(settings.label_column)
        if label_column is None or settings.label_columns is None:
            return [] if label_column is None else [label_column]
        return list(settings.label_columns)

    def text_columns(self, text_column: str | Sequence[str]) -> list[str]:
        """Return the columns of the text, of which some formats have one of a fixed name."""
        in_memory = isinstance(self.origin, RowsInMemory) and not self.origin.has_columns
        if in_memory or self.suffix == ".txt":
            return [TEXT]
        return [text_column] if isinstance(text_column, str) else list(text_column)

    def label_column(self, label_column: str | None) -> str | None:
        """Return the column of the label; the name is fixed where that of the text is."""
        if label_column and isinstance(self.origin, RowsInMemory) and not self.origin.has_columns:
            if self.origin.are_texts_alone:
                raise DataError("are without labels; give (texts, labels)", IN_MEMORY)
            return LABEL
        return label_column

    def class_names(self, label_column: str | None) -> tuple[str, ...] | None:
        """Return the names that a typed format knows for the integers of a column."""
        if label_column is None:
            return None
        if isinstance(self.origin, RowsInMemory):
            return self.origin.class_names.get(label_column)
        if self.suffix != ".parquet":
            return None
        with open_binary(self.origin) if self.content is None else BytesIO(self.content) as file:
            return class_names(file, self.name, label_column)


def read_examples(source: Data, split: Split, settings: ReadingSettings = PLAIN) -> Examples:
    """Read one split as a whole.

    A local file is read once, so that its SHA-256 is that of what was understood.

    Args:
        source: Named set, file or hub data set, see the module; or texts in memory. A file is read
            whole, whatever the split; named sets and hub data sets have a part for each.
        split: Part to read.
        settings: Which columns are read, and what they mean.

    Raises:
        DataError: A source, column, text or label that cannot be used, with its line.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A parquet file without pyarrow.
    """
    data = as_source(source)
    parts, name = _parts(data, split)
    records: list[Record] = []
    before = 0
    for part in parts:
        own = [replace(record, line=before + record.line) for record in part.records(settings)]
        before += len(own) if len(parts) > 1 else 0
        records += own
    blank = sum(record.is_blank for record in records)
    records = [record for record in records if not record.is_blank]
    if not records:
        raise DataError("no row has a text; fill some in, or set data.empty to keep", name)
    texts = tuple(record.text for record in records)
    read = Examples(
        texts=texts,
        labels=None,
        lines=tuple(record.line for record in records),
        source=name,
        traits=next((traits(record.dialect) for record in records if record.dialect), ()),
        blank=blank,
    )
    if settings.label_column:
        known = parts[0].class_names(parts[0].label_column(settings.label_column))
        stated = SET_LABELS.get(data) if isinstance(data, str) else None
        cells = [record.label for record in records]
        read = with_labels(read, cells, settings, stated or known, split == "train")
    return replace(read, sha256=_sha256(parts, texts, read.labels or ()))


def stream_texts(source: Data, settings: ReadingSettings = PLAIN) -> Iterator[tuple[int, Text]]:
    """Yield the line and text of each row, in constant memory; empty texts are allowed.

    A `.txt` file and texts that are in no table have no columns.

    Raises:
        DataError: A file, column or text that cannot be used, with its line.
        MissingExtraError: A parquet file without pyarrow.
    """
    data = as_source(source)
    part = Part(Path(data) if isinstance(data, str) else data)
    if isinstance(part.origin, Path):
        _check_file(part.origin)
    unlabelled = replace(settings, label_column=None, empty="keep")
    for record in part.records(unlabelled):
        yield record.line, record.text


def columns_of(source: Data, settings: ReadingSettings) -> tuple[str, ...]:
    """Return the columns of the first row of a source; none of texts that are in no table.

    Raises:
        DataError: A file that cannot be read, with its line.
    """
    data = as_source(source)
    part = Part(Path(data) if isinstance(data, str) else data)
    if part.text_columns("") == [TEXT]:
        return ()
    return tuple(next(iter(part.rows(None, settings.dialect))).cells)


def first_rows(source: str, settings: ReadingSettings, count: int) -> list[Row]:
    """Read the first rows of the training split of a source, whatever their columns are.

    Raises:
        DataError: A file that cannot be read, with its line.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A format without the extra for it.
    """
    parts, _ = _parts(source, "train", whole=False)
    return list(islice(parts[0].rows(None, settings.dialect), count))


def read_column(
    source: Data, split: Split, column: str, dialect: Dialect = AS_WRITTEN
) -> list[str]:
    """Read any column of one split, in the order of `read_examples`.

    Integers become decimal text, and what is missing in a row is empty.

    Raises:
        DataError: No row has the column, or a cell that is neither text nor an integer.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A parquet file without pyarrow.
    """
    parts, name = _parts(as_source(source), split, whole=False)
    cells: list[str] = []
    columns: set[str] = set()
    for part in parts:
        for row in part.rows([column] if part.suffix == ".parquet" else None, dialect):
            kind = row.kinds.get(column, "a null")
            if column not in row.cells and kind != "a null":
                message = f"found {kind} where a text or an integer must stand"
                raise DataError(f"{message}; texts are told apart by such only", name, row.line)
            columns |= row.cells.keys()
            cells.append(row.cells.get(column, ""))
    if column not in columns:
        raise DataError(f"no column {column!r}; the columns are {listed(sorted(columns))}", name)
    return cells


def names_data(source: str) -> bool:
    """Tell whether a name is one of data: a set, a file or folder, or a data set of the hub."""
    path = Path(source)
    is_there = source in NAMED_SETS or os.path.exists(path)
    return is_there or path.suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES) or is_on_hub(source)


def is_on_hub(source: str) -> bool:
    """Tell whether reading a source may need a download."""
    if source in HUB_SETS:
        return True
    is_file = Path(source).suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES)
    return not is_file and not os.path.exists(source) and bool(HUB_ID.fullmatch(source))


def _parts(data: str | RowsInMemory, split: Split, whole: bool = True) -> tuple[list[Part], str]:
    """Return the parts of a split, local files read `whole` or not yet, and their common name."""
    if isinstance(data, RowsInMemory):
        return [Part(data)], IN_MEMORY
    if data == IN_MEMORY:
        raise DataError(
            "a run does not keep them; hand them over again in Python, or name a file with them",
            data,
        )
    if data in BUNDLED_SETS:
        return [Part(bundled_file(data, split))], f"{data}/{split}.csv"
    if data in HUB_SETS:
        return [Part(path) for path in split_files(HUB_SETS[data], split)], f"{data}/{split}"
    path = Path(data).expanduser()
    is_file = path.suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES)
    if is_file or (data and os.path.exists(path)):
        _check_file(path)
        return [Part(path, _read_bytes(path) if whole else None)], data
    if HUB_ID.fullmatch(data):
        return [Part(path) for path in split_files(data, split)], f"{data}/{split}"
    raise DataError(
        f"no such data; give a file ({', '.join(SUFFIXES)}), a hub data set (owner/name), or one of"
        f" {listed(NAMED_SETS)}{nearest(data, NAMED_SETS)}",
        data,
    )


def _read_bytes(path: Path) -> bytes:
    with open_binary(path) as file:
        return file.read()


def _sha256(parts: Sequence[Part], texts: Sequence[Text], labels: Sequence[Label]) -> str | None:
    if isinstance(parts[0].origin, RowsInMemory):
        return sha256_json([list(texts), list(labels)])
    content = parts[0].content
    return None if content is None else sha256(content).hexdigest()


def _check_file(path: Path) -> None:
    # os.path, unlike Path, answers False for names that no file system takes.
    if os.path.isdir(path):
        raise DataError(f"is a folder; name a file in it ({', '.join(SUFFIXES)})", str(path))
    if path.suffix.lower() not in SUFFIXES:
        message = f"unknown suffix {path.suffix!r}; allowed are {', '.join(SUFFIXES)}"
        raise DataError(message, str(path))
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
