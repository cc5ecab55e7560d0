"""Checkpoints: everything a training needs to go on as if nothing had happened, as files.

A checkpoint is a folder `step-00000120` that appears whole or not at all. It holds the tensors
(safetensors), everything else (JSON), and a manifest with the size and SHA-256 of both, because a
flipped bit in a tensor is not noticed by safetensors. Nothing here knows what the state consists
of: it is a tree of dicts, lists and tuples, with tensors, numbers, texts and None at its ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ranklet.errors import RunError
from ranklet.files import folder_appearing_whole, is_temporary, make_folder, write_atomically

TENSORS_FILE = "tensors.safetensors"
STATE_FILE = "state.json"
MANIFEST_FILE = "manifest.json"

Tree = Any
"""Dicts, lists and tuples, with tensors, numbers, texts, booleans and None at the ends."""

# Keys that stand for what JSON has no word for.
_TENSOR, _TUPLE, _ITEMS = "$tensor", "$tuple", "$items"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after one of its optimizer steps, before the validation that may follow it.

    Attributes:
        step: Optimizer steps taken.
        state: By name, the state of everything that changes while training, as `state_dict` gives
            it: adding a thing costs an entry.
        origin: What the training began from, by name; only an equal one may go on from here.
    """

    step: int
    state: Mapping[str, Tree]
    origin: Mapping[str, str] = field(default_factory=dict)

    def copied(self) -> Checkpoint:
        """Return the same with tensors of its own, on the CPU."""
        return Checkpoint(self.step, _copy(self.state), self.origin)


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> int:
    """Write a checkpoint, its tensors on the CPU, below a folder, which is made if missing.

    Returns:
        Its size in bytes.

    Raises:
        RunError: It cannot be written; earlier ones are untouched.
    """
    tensors: dict[str, Tensor] = {}
    plain = {
        "step": checkpoint.step,
        "origin": dict(checkpoint.origin),
        "state": _without_tensors(checkpoint.state, "", tensors),
    }
    files = {TENSORS_FILE: save(tensors), STATE_FILE: (json.dumps(plain) + "\n").encode()}
    files[MANIFEST_FILE] = _manifest(files)
    make_folder(folder)
    with folder_appearing_whole(folder / f"step-{checkpoint.step:08d}") as unfinished:
        for name, content in files.items():
            write_atomically(unfinished / name, content)
    return sum(map(len, files.values()))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint; None if anything in its folder is not as it was written."""
    try:
        files = {name: (path / name).read_bytes() for name in (TENSORS_FILE, STATE_FILE)}
        if (path / MANIFEST_FILE).read_bytes() != _manifest(files):
            return None
        plain = json.loads(files[STATE_FILE])
        tensors = load(files[TENSORS_FILE])
    except (OSError, ValueError, SafetensorError):
        return None
    return Checkpoint(plain["step"], _with_tensors(plain["state"], tensors), plain["origin"])


def checkpoint_folders(folder: Path) -> list[Path]:
    """Return the checkpoints below a folder, damaged ones too, the newest first."""
    # os.path, unlike Path, answers False for names that no file system takes.
    names = os.listdir(folder) if os.path.isdir(folder) else []
    ours = (folder / name for name in names if re.fullmatch(r"step-[0-9]{8}", name))
    return sorted(ours, reverse=True)


def newest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[Path]]:
    """Return the newest checkpoint below a folder that is whole, and the damaged ones above it."""
    damaged: list[Path] = []
    for path in checkpoint_folders(folder):
        checkpoint = read_checkpoint(path)
        if checkpoint is not None:
            return checkpoint, damaged
        damaged.append(path)
    return None, damaged


def remove_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest checkpoints below a folder, and what interrupted writes left.

    Raises:
        RunError: One cannot be removed.
    """
    leftovers = [path for path in folder.glob("*") if is_temporary(path.name)]
    for path in [*checkpoint_folders(folder)[keep:], *leftovers]:
        try:
            shutil.rmtree(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(f"cannot remove {path}: {reason}; get permission for it") from error


def _manifest(files: Mapping[str, bytes]) -> bytes:
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    return (json.dumps({"files": entries}, indent=2) + "\n").encode()


def _copy(tree: Tree) -> Tree:
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if isinstance(tree, Mapping):
        return {key: _copy(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map(_copy, tree))
    return tree


def _without_tensors(tree: Tree, place: str, tensors: dict[str, Tensor]) -> Tree:
    """Return a tree as JSON types; its tensors are added to `tensors` under their places."""
    if isinstance(tree, Tensor):
        tensors[place] = tree
        return {_TENSOR: place}
    if isinstance(tree, Mapping):
        inner = {
            key: _without_tensors(value, f"{place}/{key}" if place else str(key), tensors)
            for key, value in tree.items()
        }
        # The state of an optimizer is keyed by numbers, which JSON would make texts.
        named = all(isinstance(key, str) for key in inner)
        return inner if named else {_ITEMS: [[key, value] for key, value in inner.items()]}
    if isinstance(tree, list | tuple):
        parts = [
            _without_tensors(value, f"{place}/{index}", tensors) for index, value in enumerate(tree)
        ]
        return parts if isinstance(tree, list) else {_TUPLE: parts}
    return tree


def _with_tensors(tree: Tree, tensors: Mapping[str, Tensor]) -> Tree:
    """Undo `_without_tensors`; every tensor has memory of its own, aligned as PyTorch aligns it."""
    if isinstance(tree, list):
        return [_with_tensors(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {_TENSOR}:
        return tensors[tree[_TENSOR]].clone()
    if tree.keys() == {_TUPLE}:
        return tuple(_with_tensors(part, tensors) for part in tree[_TUPLE])
    if tree.keys() == {_ITEMS}:
        return {key: _with_tensors(value, tensors) for key, value in tree[_ITEMS]}
    return {key: _with_tensors(value, tensors) for key, value in tree.items()}
