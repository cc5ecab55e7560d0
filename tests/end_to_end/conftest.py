"""A workplace for the command line: a tiny random encoder, a few texts, a finished run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ranklet.cli.main import run as run_command_line
from ranklet.encoder.config import read_config
from ranklet.encoder.model import Encoder

Command = Callable[..., "subprocess.CompletedProcess[str]"]

TOPICS = {
    "Sports": "team goal match coach player league".split(),
    "World": "minister treaty border capital election envoy".split(),
}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = (*SPECIAL, *(word for words in TOPICS.values() for word in words), "the", "a")
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
RECIPE = """\
encoder: encoder
budget: 10_000
data: {train: train.csv, test: test.csv, max_length: 16, validation: 6}
adapter: {rank: 2, target_modules: [query, value]}
training: {epochs: 1, batch_size: 8}
engine: {device: cpu, precision: float32}
"""


def write_encoder(folder: Path) -> None:
    """Write a random BERT of two layers as a Hugging Face folder, without transformers."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    torch.manual_seed(1)
    encoder = Encoder(read_config(folder), with_pooler=True)
    tensors = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")


def rows_of_text(number: int) -> str:
    """Write a csv of different texts of both topics."""
    rows = [
        f"the {words[row % 6]} a {words[row // 6 % 6]} {row},{label}"
        for row in range(number)
        for label, words in TOPICS.items()
    ]
    return "\n".join(["text,label", *rows]) + "\n"


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder`, `recipe.yaml`, `train.csv`, `test.csv` and the run `run`."""
    folder = tmp_path_factory.mktemp("workplace")
    write_encoder(folder / "encoder")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "train.csv").write_text(rows_of_text(15), encoding="utf-8")
    (folder / "test.csv").write_text(rows_of_text(3), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RANKLET_CACHE", str(folder.with_name("cache-of-workplace")))
        patch.setattr(sys, "argv", ["ranklet", "train", "recipe.yaml", "--out", "run"])
        with pytest.raises(SystemExit) as ended:
            run_command_line()
    assert ended.value.code == 0
    return folder


@pytest.fixture()
def workplace(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `made_once` without pictures, and an earlier output, as the working directory."""
    folder = tmp_path / "workplace"
    shutil.copytree(made_once, folder, ignore=shutil.ignore_patterns("figures", "report.html"))
    (folder / "earlier.csv").write_text("label,probability\nWorld,0.9\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(folder / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return folder


@pytest.fixture()
def ranklet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command line inside this process; what it printed and its exit code come back."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ranklet", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command_line()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *printed)

    return call


@pytest.fixture()
def ranklet_process() -> Command:
    """Call the command line in a process of its own; keywords go to `subprocess.run`."""

    def call(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ranklet", *arguments],
            **{"capture_output": True, "text": True, "timeout": 120, **options},
        )

    return call
