"""A training of seconds: a small random encoder, texts and a recipe, and whether two runs agree."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = {
    "Sports": ["team", "goal", "match", "coach", "player", "league", "cup", "race"],
    "World": ["minister", "treaty", "border", "capital", "election", "envoy", "vote", "army"],
}
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    *WORDS["Sports"],
    *WORDS["World"],
]
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(VOCABULARY),
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
RECIPE = """\
encoder: encoder
budget: 100_000
head_dropout: 0.1
data: {train: train.csv, test: test.csv, max_length: 24, validation: 60}
adapter: {rank: 8, target_modules: all-linear, dropout: 0.1}
training: {epochs: 12, batch_size: 16, checkpoint_every: 3, evaluate_every: 20, learning_rate: 2e-3}
engine: {device: cpu, precision: float32}
"""


def write_workplace(folder: Path) -> None:
    """Write a small random encoder, texts of two labels and a recipe into a folder."""
    import torch
    from safetensors.torch import save_file

    from ranklet.encoder.bert import Encoder
    from ranklet.encoder.config import read_config

    encoder_folder = folder / "encoder"
    encoder_folder.mkdir()
    (encoder_folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (encoder_folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    torch.manual_seed(1)
    encoder = Encoder(read_config(encoder_folder), with_pooler=True)
    for table in (part for part in encoder.modules() if isinstance(part, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    tensors = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items()}
    save_file(tensors, encoder_folder / "model.safetensors")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    for name, rows in (("train.csv", 300), ("test.csv", 40)):
        (folder / name).write_text(texts(rows, seed=rows), encoding="utf-8")


def texts(rows: int, seed: int) -> str:
    drawn = random.Random(seed)
    lines = ["text,label"]
    for row in range(rows):
        label = drawn.choice(sorted(WORDS))
        words = [drawn.choice([*WORDS[label], "the", "a"]) for _ in range(drawn.randint(4, 18))]
        lines.append(f"{' '.join(words)} {row},{label}")
    return "\n".join(lines) + "\n"


def same(first: Path, second: Path) -> bool:
    """Tell whether two runs have the same adapter and certificate, byte for byte."""
    names = ("adapter/adapter_model.safetensors", "certificate.json")
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
