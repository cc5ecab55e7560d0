"""From what a recipe or a user names, or hands over, to texts and labels.

A name is, in this order: that of a set (`newsbites`, bundled; `ag_news`, from the hub), a file with
a known suffix, or `owner/name`, a data set of the hub. What is handed over are texts in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Literal

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.data.reading.hub_dataset import split_files
from ranklet.data.reading.lines import open_binary
from ranklet.data.reading.memory import (
    IN_MEMORY,
    LABEL,
    TEXT,
    Data,
    RowsInMemory,
    as_source,
    pair_of,
)
from ranklet.data.reading.named_sets import (
    BUNDLED_SETS,
    HUB_SETS,
    NAMED_SETS,
    SET_LABELS,
    bundled_file,
)
from ranklet.data.reading.parquet import class_names
from ranklet.data.reading.row import MISSING, Row, read_label, read_label_set, read_text
from ranklet.data.reading.rows import SUFFIXES, read_rows
from ranklet.data.reading.settings import PLAIN, ReadingSettings
from ranklet.data.texts import Text, is_blank
from ranklet.errors import DataError
from ranklet.files import sha256_json
from ranklet.labels import Label, names_of

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
    texts: list[Text] = []
    labels: list[Label] = []
    lines: list[int] = []
    blank = 0
    for part in parts:
        before = len(texts) + blank
        for line, text, label in _records(part, settings):
            if text is None:
                blank += 1
                continue
            texts.append(text)
            labels.append(label)
            lines.append(before + line if len(parts) > 1 else line)
    stated = SET_LABELS.get(data) if isinstance(data, str) else None
    label_column = settings.label_column
    known = parts[0].class_names(parts[0].label_column(label_column))
    names = settings.label_names or stated or known
    read = Examples(
        texts=tuple(texts),
        labels=tuple(labels) if label_column else None,
        lines=tuple(lines),
        source=name,
        sha256=_sha256(parts, texts, labels),
        blank=blank,
    )
    if not texts:
        raise DataError("no row has a text; fill some in, or set data.empty to keep", name)
    return _with_label_names(read, tuple(names)) if names else read


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
    columns = part.text_columns(settings.text_column)
    for row in part.rows(columns, settings.dialect):
        yield row.line, _text_of(row, columns, settings.pair, part.name)


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


def _records(part: Part, settings: ReadingSettings) -> Iterator[tuple[int, Text | None, Label]]:
    """Yield (line, text, label): text None of a blank row, label empty without a label column."""
    columns = part.text_columns(settings.text_column)
    label_column = part.label_column(settings.label_column)
    wanted = [*columns, label_column] if label_column else columns
    has_one = settings.problem_type == "single_label_classification"
    read = read_label if has_one else read_label_set
    for row in part.rows(wanted, settings.dialect):
        text = _text_of(row, columns, settings.pair, part.name)
        is_empty = is_blank(text)
        if is_empty and settings.empty == "refuse":
            message = "empty text; delete the row, fill it in, or set data.empty to drop or keep"
            raise DataError(message, part.name, row.line, " + ".join(columns))
        if is_empty and settings.empty == "drop" and label_column and _is_blank(row, label_column):
            yield row.line, None, ""
            continue
        yield row.line, text, read(row, label_column, part.name) if label_column else ""


def _is_blank(row: Row, column: str) -> bool:
    return row.kinds.get(column) == MISSING or not row.cells.get(column, "-").strip()


def _text_of(row: Row, columns: Sequence[str], pair: bool, source: str) -> Text:
    """Return the text of a row: its columns joined by a space, or the two of a pair."""
    if pair and columns == [TEXT] and TEXT in row.lists:
        return pair_of(row.lists[TEXT], source, row.line)
    texts = [read_text(row, column, source) for column in columns]
    if not pair:
        return " ".join(texts)
    if len(texts) != 2:
        message = "a pair needs two texts a row; name two text columns, or give pairs in Python"
        raise DataError(message, source, row.line, " + ".join(columns))
    return texts[0], texts[1]


def _with_label_names(examples: Examples, names: tuple[str, ...]) -> Examples:
    """Replace the labels "0" .. "n-1" by names, unless they are those names already."""
    if examples.labels is None:
        return replace(examples, label_names=names)
    written = [name for label in examples.labels for name in names_of(label)]
    if set(written) <= set(names):
        return replace(examples, label_names=names)
    by_index = {str(index): name for index, name in enumerate(names)}
    # The first label tells which spelling a file uses.
    allowed = set(names) if written[0] in names else set(by_index)
    for label, line in zip(examples.labels, examples.lines, strict=True):
        for name in names_of(label):
            if name not in allowed:
                message = (
                    f"label {name!r} is not one of {listed(names)}, nor an integer from 0 to "
                    f"{len(names) - 1}{nearest(name, names)}"
                )
                raise DataError(message, examples.source, line)
    labels = tuple(_renamed(label, by_index) for label in examples.labels)
    return replace(examples, labels=labels, label_names=names)


def _renamed(label: Label, names: Mapping[str, str]) -> Label:
    if isinstance(label, str):
        return names[label]
    return tuple(sorted(names[name] for name in label))
