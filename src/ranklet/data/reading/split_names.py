"""Which file, folder or table is which split, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ranklet.data.hints import listed
from ranklet.errors import DataError
from ranklet.vocabulary import DATA_SUFFIXES, PACKED_SUFFIXES, Split

SPELLINGS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
NUMBER = r"(?:[-_.]?\d[^/]*)?"
# Parquet first: data sets of the hub that have it have the other formats only besides.
FORMAT_PATTERNS = tuple(
    re.escape(suffix) + f"(?:{'|'.join(map(re.escape, PACKED_SUFFIXES))})?"
    for suffix in sorted(DATA_SUFFIXES, key=lambda suffix: suffix != ".parquet")
)
# In this order, the first that matches: `train-00000-of-00002.parquet` in `data`, at the top, or in
# the folder of a configuration; then any file in a folder named after the split; then a name with
# the split in it, such as `reviews_train.csv`.
LAYOUTS = (
    "data/{split}" + NUMBER,
    "{split}" + NUMBER,
    "[^/]+/{split}" + NUMBER,
    r"(?:.+/)?{split}/[^/]+",
    r"(?:data/)?(?:[^/]*[-_. ])?{split}(?:[-_. ][^/]*)?",
)


def split_of(name: str) -> Split | None:
    """Return the split that a word means, such as `val` or `dev`; None of other words."""
    word = name.lower()
    return next((split for split in SPLITS if word in SPELLINGS[split]), None)


def split_in(name: str) -> Split | None:
    """Return the split that a name has among its words, such as `20news-bydate-train`."""
    splits = {split_of(word) for word in re.split(r"[-_. ]", name)} - {None}
    return splits.pop() if len(splits) == 1 else None


def has_split(names: Sequence[str], split: str) -> bool:
    """Tell whether one of the names is a split, or another spelling of it."""
    return split in names or any(split_of(name) == split_of(split) is not None for name in names)


def pick_split(names: Sequence[str], part: str, split: str | None, source: str) -> str:
    """Return the name of the table, file or folder that is wanted.

    Args:
        names: What there is.
        part: Its own name; empty: that of `split`.
        split: Split whose name is looked for; None: nothing is chosen by itself.
        source: What messages call the whole.

    Raises:
        DataError: It is not there.
    """
    wanted = part or split
    if wanted is None:
        raise DataError(f"holds {listed(names)}; name one as {source}#{names[0]}", source)
    if wanted in names:
        return wanted
    same = [name for name in names if split_of(name) == split_of(wanted) is not None]
    if len(same) != 1:
        message = f"no split {wanted!r}; its splits are {listed(names)}"
        raise DataError(f"{message}; name one as {source}#{names[0]}" if names else message, source)
    return same[0]


def matching_files(names: Sequence[str], split: str, source: str) -> list[str]:
    """Pick the files of a split out of file names, sorted.

    Args:
        names: Relative to the folder or repository, with `/` between folders.
        split: A split under its own name, or one of the three under any spelling.
        source: What messages call the whole.

    Raises:
        DataError: Several folders (configurations), or several files of other names, hold it.
    """
    known = split_of(split)
    spellings = dict.fromkeys((split, *(SPELLINGS[known] if known == split else ())))
    for layout in LAYOUTS:
        for pattern in FORMAT_PATTERNS:
            for spelling in spellings:
                matches = _matches(names, layout.replace("{split}", re.escape(spelling)) + pattern)
                if matches:
                    _check_alone(matches, split, source, by_number=layout != LAYOUTS[-1])
                    return matches
    return []


def _matches(names: Iterable[str], pattern: str) -> list[str]:
    whole = re.compile(pattern, re.IGNORECASE)
    return sorted(name for name in names if whole.fullmatch(name))


def _check_alone(matches: Sequence[str], split: str, source: str, by_number: bool) -> None:
    folders = sorted({str(PurePosixPath(name).parent) for name in matches})
    if len(folders) > 1:
        message = f"has several configurations with a split {split!r}: {listed(folders)}"
        raise DataError(f"{message}; name one as {source}#{folders[0]}", source)
    if not by_number and len(matches) > 1:
        message = f"has several files for the split {split!r}: {listed(matches)}; name one"
        raise DataError(message, source)
