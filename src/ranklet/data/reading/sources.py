"""From what a recipe or a user names, or hands over, to texts and labels.

A name is, in this order: that of a set (`newsbites`, bundled; `ag_news`, from the hub), a file or a
folder, or `owner/name`, a data set of the hub. Behind `#` stands which of several tables in it:
a split, a sheet, a file of an archive, a configuration. What is handed over are texts in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect, traits
from ranklet.data.reading.folders import no_such_split, parts_of_folder
from ranklet.data.reading.formats import FOREIGN_SUFFIXES
from ranklet.data.reading.hub_dataset import split_files, splits_on_hub
from ranklet.data.reading.json_document import splits_of_json
from ranklet.data.reading.labelled import with_labels
from ranklet.data.reading.memory import IN_MEMORY, TEXT, Data, RowsInMemory, as_source
from ranklet.data.reading.named_sets import (
    BUNDLED_SETS,
    HUB_SETS,
    NAMED_SETS,
    SET_LABELS,
    bundled_file,
)
from ranklet.data.reading.parts import Part, label_file_of
from ranklet.data.reading.records import Record
from ranklet.data.reading.row import MISSING, Row, require_columns
from ranklet.data.reading.rows import opened
from ranklet.data.reading.settings import PLAIN, ReadingSettings
from ranklet.data.reading.split_names import SPLITS
from ranklet.data.texts import Text
from ranklet.errors import DataError
from ranklet.files import sha256_json
from ranklet.labels import SEPARATOR, Label
from ranklet.vocabulary import DATA_SUFFIXES, PACKED_SUFFIXES, Split

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
FILE_SUFFIXES = (*DATA_SUFFIXES, *PACKED_SUFFIXES)
ALLOWED = f"{', '.join(DATA_SUFFIXES)}, compressed or not"


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
    parts = [_read_at_once(part, data) for part in parts]
    records: list[Record] = []
    notes: list[str] = []
    before = 0
    for part in parts:
        own = [
            replace(record, line=before + record.line)
            for record in part.records(settings, notes.append)
        ]
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
        notes=tuple(notes),
        blank=blank,
    )
    if settings.label_column:
        known = parts[0].class_names(parts[0].label_column(settings))
        stated = SET_LABELS.get(data) if isinstance(data, str) else None
        cells = [record.label for record in records]
        read = with_labels(read, cells, settings, stated or known, split == "train")
    return replace(read, sha256=_sha256(parts, texts, read.labels or ()))


def stream_texts(source: Data, settings: ReadingSettings = PLAIN) -> Iterator[tuple[int, Text]]:
    """Yield the line and text of each row, in constant memory; empty texts are allowed.

    A `.txt` file and texts that are in no table have no columns.

    Raises:
        DataError: A file, column or text that cannot be used, with its line.
        MissingExtraError: A format whose extra is not installed.
    """
    parts, _ = _parts(as_source(source), None)
    unlabelled = replace(settings, label_column=None, empty="keep")
    before = 0
    for part in parts:
        line = 0
        for line, text in ((record.line, record.text) for record in part.records(unlabelled)):
            yield before + line, text
        before += line


def stream_cells(
    source: Data, columns: Sequence[str], dialect: Dialect = AS_WRITTEN
) -> Iterator[tuple[str, ...]]:
    """Yield the cells of some columns of each row, in the order of `stream_texts`.

    Numbers become decimal text, the items of a list are joined by `|`, and what is missing is
    empty.

    Raises:
        DataError: The first row has no such column, or a cell that is no text, number or list.
        MissingExtraError: A format whose extra is not installed.
    """
    parts, _ = _parts(as_source(source), None)
    for part in parts:
        for number, row in enumerate(part.rows(columns, dialect)):
            if number == 0:
                require_columns(columns, [*row.cells, *row.kinds], part.name, row.line)
            yield tuple(_kept(row, column, part.name) for column in columns)


def _kept(row: Row, column: str, source: str) -> str:
    if column in row.lists:
        return SEPARATOR.join(map(str, row.lists[column]))
    kind = row.kinds.get(column, MISSING)
    if column not in row.cells and kind != MISSING:
        message = f"found {kind} where a text, a number or a list must stand to be kept"
        raise DataError(message, source, row.line, column)
    return row.cells.get(column, "")


def columns_of(source: Data, settings: ReadingSettings) -> tuple[str, ...]:
    """Return the columns of the first row of a source; none of texts that are in no table.

    Raises:
        DataError: A file that cannot be read, with its line.
        MissingExtraError: A format whose extra is not installed.
    """
    parts, _ = _parts(as_source(source), None)
    if parts[0].text_columns(replace(settings, label_column=None, text_column="")) == [TEXT]:
        return ()
    return tuple(next(iter(parts[0].rows(None, settings.dialect))).cells)


def first_rows(source: str, settings: ReadingSettings, count: int) -> list[Row]:
    """Read the first rows of the training split of a source, whatever their columns are.

    Raises:
        DataError: A file that cannot be read, with its line.
        HubError: A hub data set that cannot be had.
        MissingExtraError: A format whose extra is not installed.
    """
    parts, _ = _parts(source, "train")
    rows = (row for part in parts for row in part.rows(None, part.table_dialect(settings.dialect)))
    return list(islice(rows, count))


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
    parts, name = _parts(as_source(source), split)
    cells: list[str] = []
    columns: set[str] = set()
    for part in parts:
        typed = part.format in ("parquet", "arrow")
        for row in part.rows([column] if typed else None, dialect):
            kind = row.kinds.get(column, MISSING)
            if column not in row.cells and kind != MISSING:
                message = f"found {kind} where a text or an integer must stand"
                raise DataError(f"{message}; texts are told apart by such only", name, row.line)
            columns |= row.cells.keys()
            cells.append(row.cells.get(column, ""))
    if column not in columns:
        raise DataError(f"no column {column!r}; the columns are {listed(sorted(columns))}", name)
    return cells


def splits_of(source: str) -> dict[Split, str]:
    """Return the splits that a name holds, each as a source of its own.

    What is one table, whatever split is wanted of it, is `train`.

    Args:
        source: A file, a folder, a named set or a hub data set.

    Raises:
        DataError: It holds no training data, or several files might be meant.
        HubError: A hub data set that cannot be had.
    """
    place, part = _place_and_part(source)
    path = Path(place).expanduser()
    if not part and is_on_hub(source) and place not in HUB_SETS:
        return dict.fromkeys(splits_on_hub(place), source) or {"train": source}
    if part or not os.path.exists(path):
        return {"train": source}
    if not path.is_dir():
        return _splits_of_file(path, source)
    sources: dict[Split, str] = {}
    train = _parts(source, "train")[0]
    for split in SPLITS:
        parts = parts_of_folder(path, "", split)
        if parts and (split == "train" or _files(parts) != _files(train)):
            is_file = len(parts) == 1 and not parts[0].name.endswith(".arrow")
            sources[split] = parts[0].name if is_file else f"{source}#{split}"
    return sources


def _files(parts: Sequence[Part]) -> list[str]:
    return [part.name for part in parts]


def data_sha256(source: str, split: Split) -> str | None:
    """Return the hash that `read_examples` gives a split, without reading its rows."""
    parts, _ = _parts(source, split)
    return _sha256([_read_at_once(part, source) for part in parts], (), ())


def names_data(source: str) -> bool:
    """Tell whether a name is one of data: a set, a file or folder, or a data set of the hub."""
    place, _ = _place_and_part(source)
    return place in NAMED_SETS or _is_local(place) or is_on_hub(source)


def is_on_hub(source: str) -> bool:
    """Tell whether reading a source may need a download."""
    place, _ = _place_and_part(source)
    if place in HUB_SETS:
        return True
    return not _is_local(place) and bool(HUB_ID.fullmatch(place))


def _parts(data: str | RowsInMemory, split: Split | None) -> tuple[list[Part], str]:
    """Return the parts of a split, of which there is at least one, and their common name."""
    if isinstance(data, RowsInMemory):
        return [Part(data)], IN_MEMORY
    if data == IN_MEMORY:
        raise DataError(
            "a run does not keep them; hand them over again in Python, or name a file with them",
            data,
        )
    if data in BUNDLED_SETS and split is not None:
        return [Part(bundled_file(data, split))], f"{data}/{split}.csv"
    place, part = _place_and_part(data)
    if place not in HUB_SETS and _is_local(place):
        return _local_parts(Path(place).expanduser(), part, split), data
    repo_id = HUB_SETS.get(place, place)
    if HUB_ID.fullmatch(repo_id) and (split or part):
        files = split_files(repo_id, split or part, part)
        return [Part(path) for path in files], data if part else f"{data}/{split}"
    raise DataError(
        f"no such data; give a file ({ALLOWED}), a folder, a hub data set (owner/name), or one of "
        f"{listed(NAMED_SETS)}{nearest(data, NAMED_SETS)}",
        data,
    )


def _place_and_part(name: str) -> tuple[str, str]:
    """Split `PLACE#PART`; a file that is there under the whole name is one."""
    if "#" not in name or os.path.exists(Path(name).expanduser()):
        return name, ""
    place, _, part = name.rpartition("#")
    return place, part


def _is_local(place: str) -> bool:
    path = Path(place).expanduser()
    # os.path, unlike Path, answers False for names that no file system takes.
    is_named_so = path.suffix.lower() in (*FILE_SUFFIXES, *FOREIGN_SUFFIXES)
    return is_named_so or (bool(place) and os.path.exists(path))


def _local_parts(path: Path, part: str, split: Split | None) -> list[Part]:
    if os.path.isdir(path):
        parts = parts_of_folder(path, part, split)
        if not parts:
            raise no_such_split(path, part or str(split))
        return parts
    if not os.path.exists(path):
        suffix = path.suffix.lower()
        if suffix in FOREIGN_SUFFIXES or suffix not in FILE_SUFFIXES:
            message = FOREIGN_SUFFIXES.get(suffix, f"allowed are {ALLOWED}")
            raise DataError(f"unknown suffix {path.suffix!r}; {message}", str(path))
        raise DataError(f"no such file{_near_files(path)}", str(path))
    return [Part(path, table=part, split=split, label_file=label_file_of(path))]


def _splits_of_file(path: Path, source: str) -> dict[Split, str]:
    with opened(path) as (file, kind, _):
        names = splits_of_json(file, str(path)) if kind == "json" else {}
    return {split: f"{source}#{names[split]}" for split in SPLITS if split in names} or {
        "train": source
    }


def _read_at_once(part: Part, data: str | RowsInMemory) -> Part:
    """Return a local part with its bytes; sets and hub data sets have no hash of their own."""
    is_ours = not isinstance(data, str) or not (data in BUNDLED_SETS or is_on_hub(data))
    return part.read_at_once() if is_ours else part


def _sha256(parts: Sequence[Part], texts: Sequence[Text], labels: Sequence[Label]) -> str | None:
    if isinstance(parts[0].origin, RowsInMemory):
        return sha256_json([list(texts), list(labels)])
    hashes = [part.sha256() for part in parts]
    return hashes[0] if len(hashes) == 1 or None in hashes else sha256_json(hashes)


def _near_files(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"; there is no folder {str(path.parent)!r}"
    names = sorted(name for name in os.listdir(path.parent) if name.lower().endswith(FILE_SUFFIXES))
    near = get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        return f"; near names in that folder: {listed(near)}"
    return f"; that folder holds {listed(names)}" if names else "; that folder holds no data file"
