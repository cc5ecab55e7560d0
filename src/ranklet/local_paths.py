"""Paths: shortened in the files that people share, whole in `local.json`, which is not for sharing.

A shortened path begins with `./`, so that nothing ever takes it for a name on the hub.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ranklet.errors import RankletError, RunError
from ranklet.files import read_json_object, write_atomically

LOCAL_FILE = "local.json"

LocalPaths = Mapping[str, Mapping[str, str]]
"""For each field, what is written there -> the whole path."""


def is_path(name: str) -> bool:
    """Tell whether the name of a model or of data can only be a path."""
    return os.path.isabs(os.path.expanduser(name)) or name.startswith((".", "~"))


def shortened(path: str) -> str:
    """Write a path for others: from the working folder on, or its last part alone."""
    whole = _whole(path)
    inside = whole.is_relative_to(Path.cwd())
    return f"./{(whole.relative_to(Path.cwd()) if inside else Path(whole.name)).as_posix()}"


def shared_model(name: str) -> str:
    """Write the name of an encoder or teacher for others: a folder shortened, others as they are.

    Every existing folder counts, since what is a folder here may be a name on the hub elsewhere.
    """
    return shortened(name) if is_path(name) or os.path.isdir(name) else name


def whole_path(written: str, name: str) -> dict[str, str]:
    """Return the whole path of something that is written so; nothing where it is no path here."""
    here = os.path.exists(os.path.expanduser(name))
    return {written: str(_whole(name))} if here else {}


def write_local_paths(folder: Path, paths: LocalPaths) -> None:
    """Write the whole paths beside the files that hold them shortened; no file where there is none.

    Raises:
        RunError: The file cannot be written.
    """
    paths = {field: dict(names) for field, names in paths.items() if names}
    if paths:
        text = json.dumps(paths, indent=2, ensure_ascii=False)
        write_atomically(folder / LOCAL_FILE, text + "\n")


def knows(folder: Path, field: str, written: str) -> bool:
    """Tell whether `local.json` of a folder holds the path behind what is written in a field."""
    try:
        return written in read_json_object(folder / LOCAL_FILE, RunError)[field]
    except (RankletError, LookupError, TypeError):
        return False


def local_path(folder: Path, field: str, written: str) -> str:
    """Return the path behind what is written in a field, or that, where nothing better is known.

    Args:
        folder: May hold `local.json`.
        field: Dotted, as in a recipe.
        written: What stands in it.
    """
    try:
        whole = read_json_object(folder / LOCAL_FILE, RunError)[field][written]
    except (RankletError, LookupError, TypeError):
        return written
    if not isinstance(whole, str) or not os.path.isabs(whole) or not os.path.exists(whole):
        return written
    # As it is written where that is the same, seen from here: messages are shorter.
    return written if os.path.exists(written) and os.path.samefile(whole, written) else whole


def _whole(path: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))
