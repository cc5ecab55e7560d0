"""From what a recipe or a user names, or hands over, to texts and labels.

A name is, in this order: that of a set (`newsbites`, bundled; `ag_news`, from the hub), a file or a
folder, or `owner/name`, a data set of the hub. Behind `#` stands which of several tables in it:
a split, a sheet, a file of an archive, a configuration. What is handed over are texts in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ranklet.data.examples import Examples
from ranklet.data.hints import listed, nearest
from ranklet.data.reading.dialect import AS_WRITTEN, Dialect
from ranklet.data.reading.folders import no_such_split, parts_of_folder
from ranklet.data.reading.formats import FOREIGN_SUFFIXES
from ranklet.data.reading.hub_dataset import split_files, splits_on_hub
from ranklet.data.reading.json_document import splits_of_json
from ranklet.data.reading.memory import IN_MEMORY, Data, RowsInMemory, as_source
from ranklet.data.reading.named_sets import (
    BUNDLED_SETS,
    HUB_SETS,
    NAMED_SETS,
    SET_LABELS,
    bundled_file,
)
from ranklet.data.reading.parts import Part, label_file_of
from ranklet.data.reading.row import Row, read_label, read_label_set, read_text
from ranklet.data.reading.rows import opened
from ranklet.data.reading.settings import PLAIN, ReadingSettings
from ranklet.data.reading.split_names import SPLITS
from ranklet.errors import DataError
from ranklet.files import sha256_json
from ranklet.labels import Label, names_of
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
    texts: list[str] = []
    labels: list[Label] = []
    lines: list[int] = []
    notes: list[str] = []
    for part in parts:
        before = len(texts)
        for line, text, label in _records(part, settings, notes):
            texts.append(text)
            labels.append(label)
            lines.append(before + line if len(parts) > 1 else line)
    stated = SET_LABELS.get(data) if isinstance(data, str) else None
    known = parts[0].class_names(parts[0].label_column(settings))
    names = settings.label_names or stated or known
    read = Examples(
        texts=tuple(texts),
        labels=tuple(labels) if settings.label_column else None,
        lines=tuple(lines),
        source=name,
        sha256=_sha256(parts, texts, labels),
        notes=tuple(notes),
    )
    return _with_label_names(read, tuple(names)) if names else read


def stream_texts(source: Data, settings: ReadingSettings = PLAIN) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each row, in constant memory; empty texts are allowed.

    A `.txt` file and texts that are in no table have no columns.

    Raises:
        DataError: A file, column or text that cannot be used, with its line.
        MissingExtraError: A parquet file without pyarrow.
    """
    parts, _ = _parts(as_source(source), None)
    before = 0
    for part in parts:
        columns, line = part.text_columns(replace(settings, label_column=None)), 0
        for line, row in ((row.line, row) for row in part.rows(columns, settings.dialect)):
            yield before + line, _joined(row, columns, part.name)
        before += line


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
            kind = row.kinds.get(column, "a null")
            if column not in row.cells and kind != "a null":
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


def _sha256(parts: Sequence[Part], texts: Sequence[str], labels: Sequence[Label]) -> str | None:
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


def _records(
    part: Part, settings: ReadingSettings, notes: list[str]
) -> Iterator[tuple[int, str, Label]]:
    """Yield (line, text, label); the label is empty where there is no label column."""
    columns = part.text_columns(settings)
    label_column = part.label_column(settings)
    wanted = [*columns, label_column] if label_column else columns
    has_one = settings.problem_type == "single_label_classification"
    read = read_label if has_one else read_label_set
    for row in part.rows(wanted, settings.dialect, notes.append):
        text = _joined(row, columns, part.name)
        if not text.strip() and not settings.allow_empty:
            message = "empty text; delete the row or fill it in"
            raise DataError(message, part.name, row.line, " + ".join(columns))
        yield row.line, text, read(row, label_column, part.name) if label_column else ""


def _joined(row: Row, columns: Sequence[str], source: str) -> str:
    return " ".join(read_text(row, column, source) for column in columns)


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
