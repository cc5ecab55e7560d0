"""Data sets of the hub: the parquet files of one split."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ranklet.data.hints import listed
from ranklet.errors import DataError, HubError
from ranklet.hub import cached_file_names, hub_folder, listed_file_names

NUMBERED = r"(?:[-_.]?\d[^/]*)?\.parquet"
# In this order, the first that matches: `train-00000-of-00002.parquet` in `data`, at the top, or in
# the folder of a configuration; then any file in a folder named after the split.
LAYOUTS = ("data/{split}" + NUMBERED, "{split}" + NUMBERED, "[^/]+/{split}" + NUMBERED)
FOLDER_LAYOUT = r"(?:.+/)?{split}/[^/]+\.parquet"
FILE_NAME = re.compile(r"([A-Za-z_]+?)" + NUMBERED)
SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


def split_files(repo_id: str, split: str) -> list[Path]:
    """Return the parquet files of one split, in order, from the cache or the network.

    Raises:
        DataError: The data set has no such split, or several configurations of it.
        HubError: The data set cannot be had.
    """
    cached = cached_file_names(repo_id, "dataset")
    names = matching_files(cached, split, repo_id)
    if not names or not _is_complete(names):
        names = _listed_files(repo_id, split, cached)
    folder = hub_folder(repo_id, [glob.escape(name) for name in names], "dataset")
    return [folder / name for name in names]


def _listed_files(repo_id: str, split: str, cached: Sequence[str]) -> list[str]:
    try:
        names = listed_file_names(repo_id, "dataset")
    except HubError as error:
        if not cached:
            raise
        cached_splits = listed(split_names(cached))
        message = f"split {split!r} is not in the cache, which holds {cached_splits}; {error}"
        raise HubError(message) from error
    matches = matching_files(names, split, repo_id)
    if not matches:
        splits = split_names(names)
        message = (
            f"no split {split!r} in parquet; its splits are {listed(splits)}"
            if splits
            else "holds no parquet files; fetch it and name a local file instead"
        )
        raise DataError(message, repo_id)
    return matches


def matching_files(names: Sequence[str], split: str, repo_id: str) -> list[str]:
    """Pick the parquet files of a split from the file names of a repository.

    Raises:
        DataError: Several folders (configurations) hold that split.
    """
    for layout in (*LAYOUTS, FOLDER_LAYOUT):
        pattern = re.compile(layout.replace("{split}", re.escape(split)))
        matches = sorted(name for name in names if pattern.fullmatch(name))
        folders = sorted({str(PurePosixPath(name).parent) for name in matches})
        if len(folders) > 1:
            raise DataError(
                f"has several configurations with a split {split!r}: {listed(folders)}; fetch one "
                "and name its file instead",
                repo_id,
            )
        if matches:
            return matches
    return []


def split_names(names: Sequence[str]) -> list[str]:
    """Guess the splits that the parquet files of a repository hold, sorted."""
    splits: set[str] = set()
    for name in (PurePosixPath(name) for name in names if name.endswith(".parquet")):
        match = FILE_NAME.fullmatch(name.name)
        splits.add(match[1] if match else name.parent.name or name.stem)
    return sorted(splits)


def _is_complete(names: Sequence[str]) -> bool:
    """Tell whether every shard of `-00000-of-00003` files is there."""
    totals = {int(match[2]) for match in map(SHARD.search, names) if match}
    return not totals or totals == {len(names)}
