"""Data sets of the hub: the files of one split, in any format that is read."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ranklet.data.hints import listed
from ranklet.data.reading.split_names import NUMBER, SPLITS, matching_files, split_of
from ranklet.errors import DataError, HubError
from ranklet.hub import cached_file_names, hub_folder, listed_file_names
from ranklet.vocabulary import DATA_SUFFIXES, PACKED_SUFFIXES, Split

FILE_NAME = re.compile(r"([A-Za-z_]+?)" + NUMBER)
SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


def split_files(repo_id: str, split: str, part: str = "") -> list[Path]:
    """Return the files of one split, in order, from the cache or the network.

    Args:
        repo_id: `owner/name`.
        split: Split to take where `part` names none.
        part: A configuration, a split under any name, or `configuration/split`; empty: the only
            configuration.

    Raises:
        DataError: The data set has no such split, or several configurations of it.
        HubError: The data set cannot be had.
    """
    cached = cached_file_names(repo_id, "dataset")
    names = files_of_part(cached, split, part, repo_id)
    if not names or not _is_complete(names):
        names = _listed_files(repo_id, split, part, cached)
    folder = hub_folder(repo_id, [glob.escape(name) for name in names], "dataset")
    return [folder / name for name in names]


def _listed_files(repo_id: str, split: str, part: str, cached: Sequence[str]) -> list[str]:
    try:
        names = listed_file_names(repo_id, "dataset")
    except HubError as error:
        if not cached:
            raise
        splits = split_names(cached)
        other = f" (to be named as {repo_id}#{splits[0]})" if splits else ""
        message = f"split {part or split!r} is not in the cache, which holds {listed(splits)}"
        message = f"{message}{other}; {error}"
        raise HubError(message) from error
    matches = files_of_part(names, split, part, repo_id)
    if not matches:
        splits = split_names(names)
        message = (
            f"no split {part or split!r}; its splits are {listed(splits)}; name one as "
            f"{repo_id}#{splits[0]}"
            if splits
            else "holds no data files that are read; fetch it and name a local file instead"
        )
        raise DataError(message, repo_id)
    return matches


def splits_on_hub(repo_id: str) -> list[Split]:
    """Return which of the three splits a data set has, as far as is known without a download.

    Raises:
        DataError: Several files might be meant.
        HubError: The data set cannot be had.
    """
    names = cached_file_names(repo_id, "dataset") or listed_file_names(repo_id, "dataset")
    return [split for split in SPLITS if files_of_part(names, split, "", repo_id)]


def files_of_part(names: Sequence[str], split: str, part: str, repo_id: str) -> list[str]:
    """Pick the files of a split from the file names of a repository.

    Raises:
        DataError: Several folders (configurations) hold that split.
    """
    files = [name for name in names if _is_data(name)]
    if not part:
        only = files if split == "train" and len(files) == 1 and not split_names(files) else []
        return matching_files(files, split, repo_id) or only
    configuration, _, own_split = part.rpartition("/")
    if not configuration:
        own = _of_configuration(files, part)
        if own:
            return [own[name] for name in matching_files(list(own), split, repo_id)]
        return matching_files(files, part, repo_id)
    own = _of_configuration(files, configuration)
    return [own[name] for name in matching_files(list(own), own_split, repo_id)]


def _of_configuration(names: Sequence[str], configuration: str) -> dict[str, str]:
    """Return the files in the folder of a configuration, by their names inside of it."""
    starts = (f"{configuration}/", f"data/{configuration}/")
    if split_of(configuration) is not None:
        return {}
    return {
        name.removeprefix(start): name
        for start in starts
        for name in names
        if name.startswith(start)
    }


def _is_data(name: str) -> bool:
    suffixes = PurePosixPath(name.lower()).suffixes
    return bool(suffixes) and (
        suffixes[-1] in DATA_SUFFIXES
        or (suffixes[-1] in PACKED_SUFFIXES and suffixes[-2:-1] != [".tar"])
    )


def split_names(names: Sequence[str]) -> list[str]:
    """Guess the splits that the files of a repository hold, sorted.

    Every parquet file belongs to one; other files where they or their folders are named so.
    """
    splits: set[str] = set()
    for path in map(PurePosixPath, names):
        match = FILE_NAME.fullmatch(path.name.split(".")[0])
        name = match[1] if match else path.parent.name or path.stem
        if path.suffix == ".parquet" or (_is_data(str(path)) and split_of(name) is not None):
            splits.add(name)
    return sorted(splits)


def _is_complete(names: Sequence[str]) -> bool:
    """Tell whether every shard of `-00000-of-00003` files is there."""
    totals = {int(match[2]) for match in map(SHARD.search, names) if match}
    return not totals or totals == {len(names)}
