"""Write an encoder, or a classifier, anew in files that ranklet reads."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from ranklet.data.tokens.tokenizer import load_tokenizer
from ranklet.encoder.config import read_config
from ranklet.encoder.source import TOKENIZER_FILES, existing_folder
from ranklet.encoder.transformers_config import quiet
from ranklet.encoder.weight_files import files_of, unwrapped_names, weight_files
from ranklet.errors import MissingExtraError, RunError, WeightsError
from ranklet.files import folder_appearing_whole, write_atomically
from ranklet.hub import hub_folder

PICKLED = "pytorch_model.bin"


def convert(encoder: str | Path, out: str | Path) -> Path:
    """Write a model folder anew, with its weights as safetensors and its tokenizer as JSON.

    Pickled weights are read as tensors alone, and nothing in them is executed
    (`torch.load(weights_only=True)`). A tokenizer that ranklet does not read, such as a
    SentencePiece model, is converted by transformers.

    Args:
        encoder: Folder or hub id.
        out: Folder to write; must not exist.

    Returns:
        The new folder.

    Raises:
        RunError: The folder exists, or cannot be written.
        WeightsError: There are no weights or no tokenizer, or they cannot be read.
        HubError: The hub is needed and cannot be had.
        MissingExtraError: A tokenizer that only transformers converts, without it.
    """
    folder = Path(out)
    if folder.exists():
        raise RunError(f"{folder}: exists already; choose another --out")
    source = _source_folder(str(encoder))
    read_config(source)  # an encoder that is not supported is refused before the work
    with folder_appearing_whole(folder) as unfinished:
        write_atomically(unfinished / "config.json", (source / "config.json").read_bytes())
        tensors = save(_tensors(source), {"format": "pt"})
        write_atomically(unfinished / "model.safetensors", tensors)
        _write_tokenizer(source, unfinished)
    return folder


def _source_folder(encoder: str) -> Path:
    return existing_folder(encoder) or hub_folder(
        encoder,
        ["config.json", "pytorch_model*.bin"],
        "model",
        optional_patterns=[f"{PICKLED}.index.json", *TOKENIZER_FILES],
    )


def _tensors(source: Path) -> dict[str, Tensor]:
    """Read all weights of a folder, each in memory of its own, without the names of wrappers."""
    pickled = files_of(source, PICKLED)
    has_safetensors = bool(files_of(source, "model.safetensors")) or not pickled
    tensors: dict[str, Tensor] = {}
    for path in weight_files(source) if has_safetensors else pickled:
        stored = load_file(path) if has_safetensors else _unpickled(path)
        names = unwrapped_names(stored, path)
        tensors |= {
            plain: stored[name].clone(memory_format=torch.contiguous_format)
            for plain, name in names.items()
        }
    return tensors


def _unpickled(path: Path) -> dict[str, Tensor]:
    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: holds more than tensors, which could run code; get the weights from who "
            "trained them as safetensors"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path}: not a complete file of weights ({reason})") from error
    if not isinstance(stored, dict) or not all(isinstance(t, Tensor) for t in stored.values()):
        raise WeightsError(f"{path}: must hold tensors by name, as `state_dict()` gives them")
    return stored


def _write_tokenizer(source: Path, folder: Path) -> None:
    """Copy a tokenizer that ranklet reads; let transformers convert any other."""
    try:
        load_tokenizer(source)
    except WeightsError:
        if (source / "tokenizer.json").is_file():  # it is damaged
            raise
        _convert_tokenizer(source, folder)
        load_tokenizer(folder)
        return
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            write_atomically(folder / name, (source / name).read_bytes())


def _convert_tokenizer(source: Path, folder: Path) -> None:
    packages = ["transformers", *(["sentencepiece"] if any(source.glob("*.model")) else [])]
    if None in map(find_spec, packages):
        raise MissingExtraError(f"{source}: a tokenizer without tokenizer.json", "hf")
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # its converters raise anything
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{source}: transformers cannot convert it ({reason})") from error
