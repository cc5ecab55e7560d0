"""A folder as a source: what lies in it, and which of it is which split."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath

from ranklet.data.hints import first_line, listed
from ranklet.data.reading.formats import PLAIN_SUFFIXES
from ranklet.data.reading.lines import open_binary
from ranklet.data.reading.parts import MAPPING, Part, label_file_of
from ranklet.data.reading.split_names import (
    has_split,
    matching_files,
    pick_split,
    split_in,
    split_of,
)
from ranklet.errors import DataError
from ranklet.vocabulary import DATA_SUFFIXES, PACKED_SUFFIXES

MOST_FILES = 1_000_000
MOST_SUBFOLDERS = 2
UNLABELLED = ("unsup", "unlabeled", "unlabelled", "unlabel")
"""Folders beside those of the classes whose texts have no class, as in aclImdb."""
NO_DATA = (MAPPING, "requirements.txt", "class.txt", "classes.txt", "dataset_infos.json")


def parts_of_folder(folder: Path, part: str, split: str | None) -> list[Part]:
    """Return the files of one split of a folder; none where it has splits but not this one.

    In this order: what `datasets.save_to_disk` wrote; files named after splits; folders named after
    classes, in a folder for each split or not; a single data file.

    Args:
        folder: The folder.
        part: Name of the split or the table, as the folder has it; empty: that of `split`.
        split: Split to take; None: only what has no splits.

    Raises:
        DataError: Several files or configurations might be meant, or there is no data.
    """
    source = str(folder)
    saved = _saved_splits(folder)
    if saved is not None:
        if not part and split is not None and not (has_split(saved, split) or not saved):
            return []
        return _saved_parts(folder / pick_split(saved, part, split, source) if saved else folder)
    wanted = part or split
    names = _data_files(folder)
    if wanted is not None:
        matches = matching_files(names, wanted, source)
        if matches:
            return [_part(folder / name) for name in matches]
    class_parts = _class_parts(folder, wanted)
    if class_parts is not None:
        return class_parts
    return _only_file(folder, names, part, split)


def no_such_split(folder: Path, split: str) -> DataError:
    """Return the error that says what a folder has instead of a split."""
    saved = _saved_splits(folder)
    message = f"the folder has no split {split!r}; name a file"
    if saved:
        message = f"no split {split!r} but {listed(saved)}; name one as {folder}#{saved[0]}"
    return DataError(message, str(folder))


def _only_file(folder: Path, names: Sequence[str], part: str, split: str | None) -> list[Part]:
    top = [name for name in names if "/" not in name]
    speak_of = {name: split_in(_stem(name)) for name in top}
    if split is not None and any(speak_of.values()):
        return []
    if len(top) == 1 and not part:
        return [_part(folder / top[0], split)]
    if top:
        message = f"is a folder; name a file in it: {listed(top)}"
        raise DataError(message, str(folder))
    raise DataError(
        f"is a folder; name a file in it ({', '.join(DATA_SUFFIXES)}), or a folder "
        "with a folder of text files for each class",
        str(folder),
    )


def _part(path: Path, split: str | None = None) -> Part:
    return Part(path, split=split, label_file=label_file_of(path))


def _stem(name: str) -> str:
    return PurePath(name).name.split(".")[0]


def _data_files(folder: Path) -> list[str]:
    """List the data files in a folder and `MOST_SUBFOLDERS` below it, relative to it.

    Text files in folders are texts of a class; files of labels belong to those of the texts.
    """
    names = []
    for path in islice(_walk(folder, MOST_SUBFOLDERS), MOST_FILES):
        name = path.relative_to(folder).as_posix()
        suffixes = [suffix for suffix in path.suffixes[-2:] if suffix not in PACKED_SUFFIXES]
        is_data = path.suffix.lower() in (*DATA_SUFFIXES, *PACKED_SUFFIXES)
        is_class_text = "/" in name and suffixes[-1:] == [".txt"]
        if is_data and not is_class_text and path.name not in NO_DATA:
            names.append(name)
    labels = {label_file_of(folder / name) for name in names}
    names = sorted(name for name in names if folder / name not in labels)
    near = [name for name in names if "/" not in name or name.startswith("data/")]
    return near if any(split_in(_stem(name)) for name in near) else names


def _walk(folder: Path, deeper: int) -> Iterator[Path]:
    """Yield the files below a folder; nothing hidden, no links to folders."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot be read: {first_line(error)}", str(folder)) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            yield Path(entry.path)
        elif deeper and entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), deeper - 1)


def _class_parts(folder: Path, wanted: str | None) -> list[Part] | None:
    """Return the texts in the folders of the classes, or None where there are no such folders."""
    folders = _subfolders(folder)
    by_split = {path.name: path for path in folders if split_in(path.name) is not None}
    classes_by_split = {name: _class_files(path) for name, path in by_split.items()}
    classes_by_split = {name: files for name, files in classes_by_split.items() if files}
    if classes_by_split:
        if wanted is None:
            pick_split(list(classes_by_split), "", None, str(folder))
        same = [
            name
            for name in classes_by_split
            if wanted == name or split_in(name) == split_of(str(wanted)) is not None
        ]
        return _class_texts(classes_by_split[same[0]]) if len(same) == 1 else []
    files = _class_files(folder)
    return _class_texts(files) if files else None


def _class_texts(files: Mapping[str, Sequence[Path]]) -> list[Part]:
    return [Part(path, label=label) for label, paths in files.items() for path in paths]


def _class_files(folder: Path) -> dict[str, list[Path]]:
    """Return the text files by the folder of their class; empty where these are no classes."""
    files = {
        path.name: list(_walk(path, 0))
        for path in _subfolders(folder)
        if path.name.lower() not in UNLABELLED
    }
    files = {label: paths for label, paths in files.items() if paths}
    plain = all(_is_plain(path) for paths in files.values() for path in paths)
    return files if plain and len(files) > 1 else {}


def _is_plain(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in PLAIN_SUFFIXES or suffix.removeprefix(".").isdigit()


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _saved_splits(folder: Path) -> list[str] | None:
    """Return the splits that `save_to_disk` wrote, none where it wrote one; None of others."""
    if (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file():
        return []
    if (folder / "dataset_dict.json").is_file():
        splits = _json_object(folder / "dataset_dict.json").get("splits")
        if isinstance(splits, list) and all(isinstance(name, str) for name in splits):
            return [name for name in splits if PurePath(name).name == name]
    return None


def _saved_parts(folder: Path) -> list[Part]:
    files = _json_object(folder / "state.json").get("_data_files")
    objects = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    names = [str(file.get("filename")) for file in objects]
    if not names or not all(PurePath(name).name == name for name in names):
        raise DataError("names no files of its own; save the data set again", str(folder))
    return [Part(folder / name) for name in names]


def _json_object(path: Path) -> dict[str, object]:
    try:
        with open_binary(path) as file:
            value = json.load(file)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {first_line(error)}; save it again", str(path)) from error
    return value if isinstance(value, dict) else {}
