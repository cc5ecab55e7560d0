"""The weight files of a model folder, and the names of tensors in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from ranklet.errors import WeightsError, convert_command

# What torch.compile and DataParallel put before the names of what they wrap.
WRAPPERS = re.compile(r"^((_orig_mod|module)\.)+")


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model folder, shards included.

    Raises:
        WeightsError: There are none, or the index of the shards is broken.
    """
    paths = files_of(folder, "model.safetensors")
    if paths:
        return paths
    pickled = next(iter(sorted(folder.glob("pytorch_model*.bin"))), None)
    hint = (
        f"{pickled.name} is a pickle, which could run code; convert it: {convert_command(folder)}"
        if pickled
        else "name a folder that holds one"
    )
    raise WeightsError(f"{folder}: no model.safetensors; {hint}")


def files_of(folder: Path, name: str) -> list[Path]:
    """List the files of a model's weights: the one of that name, else the shards of its index.

    Raises:
        WeightsError: The index of the shards is broken.
    """
    index = folder / f"{name}.index.json"
    if (folder / name).is_file():
        return [folder / name]
    return [folder / shard for shard in _shard_names(index)] if index.is_file() else []


def unwrapped_names(stored: Iterable[str], path: Path) -> dict[str, str]:
    """Map names of tensors without `_orig_mod.` and `module.` to those in a file.

    Raises:
        WeightsError: Two names become one.
    """
    names: dict[str, str] = {}
    for name in stored:
        plain = WRAPPERS.sub("", name)
        if plain in names:
            raise WeightsError(
                f"{path}: holds both {names[plain]} and {name}, of which torch.compile or "
                "DataParallel wrote one; save the unwrapped model alone"
            )
        names[plain] = name
    return names


def _shard_names(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        outside = [name for name in names if Path(name).name != name]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise WeightsError(f"{index}: not a safetensors index ({type(error).__name__})") from error
    if outside:
        raise WeightsError(f"{index}: shard {outside[0]!r} lies outside the folder")
    return names
