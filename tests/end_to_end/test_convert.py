"""Encoders in files that ranklet does not read: each refusal prints the command that helps."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ranklet.data.tokens.tokenizer import load_tokenizer
from ranklet.encoder.source import EncoderSource

Command = Callable[..., Any]
TRAIN = ("train", "recipe.yaml", "--out", "again", "--set", "training.max_steps=1")


def pickle_weights(folder: Path, name: str = "pytorch_model.bin", prefix: str = "") -> None:
    tensors = load_file(folder / "model.safetensors")
    torch.save({prefix + key: tensor for key, tensor in tensors.items()}, folder / name)
    (folder / "model.safetensors").unlink()


def command_in(answer: Any) -> list[str]:
    """Return the words of the command that a refusal ends with."""
    assert answer.returncode == 2
    _, _, command = answer.stderr.strip().rpartition("convert it: ")
    program, *words = shlex.split(command)
    assert program == "ranklet"
    return words


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_pickled_weights_train_after_the_printed_command(
    prefix: str, ranklet: Command, workplace: Path
) -> None:
    before = load_file("encoder/model.safetensors")
    pickle_weights(Path("encoder"), prefix=prefix)
    words = command_in(ranklet(*TRAIN))
    assert words == ["convert", "encoder", "--out", "encoder-converted"]
    done = ranklet(*words)
    assert (done.returncode, done.stdout) == (0, "encoder: encoder-converted\n"), done.stderr
    after = load_file("encoder-converted/model.safetensors")
    assert after.keys() == before.keys()
    assert all(after[name].equal(before[name]) for name in before)
    assert ranklet(*TRAIN, "--set", "encoder=encoder-converted").returncode == 0


def test_shards_are_converted(ranklet: Command, workplace: Path) -> None:
    tensors = load_file("encoder/model.safetensors")
    pickle_weights(Path("encoder"), "pytorch_model-00002-of-00002.bin")
    torch.save({}, "encoder/pytorch_model-00001-of-00002.bin")
    shards = {str(number): f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)}
    Path("encoder/pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": shards}))
    assert ranklet(*command_in(ranklet(*TRAIN))).returncode == 0
    assert load_file("encoder-converted/model.safetensors").keys() == tensors.keys()


class Executed:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"x": Executed()}, "holds more than tensors, which could run code"),
        ({"x": 1}, "must hold tensors by name"),
        ([torch.ones(2)], "must hold tensors by name"),
        (b"\x80\x02", "not a complete file of weights"),
    ],
)
def test_other_pickles_are_refused(
    content: Any, problem: str, ranklet: Command, workplace: Path
) -> None:
    stream = io.BytesIO()
    if isinstance(content, bytes):
        stream.write(content)
    else:
        torch.save(content, stream)
    Path("encoder/model.safetensors").unlink()
    Path("encoder/pytorch_model.bin").write_bytes(stream.getvalue())
    answer = ranklet("convert", "encoder", "--out", "other")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: encoder/pytorch_model.bin: {problem}")
    assert not Path("other").exists()
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("encoder", "--out", "run"), "run: exists already; choose another --out"),
        (("nowhere/at/all", "--out", "x"), "encoder 'nowhere/at/all': no such folder"),
    ],
)
def test_a_conversion_that_cannot_begin(
    words: tuple[str, ...], problem: str, ranklet: Command, workplace: Path
) -> None:
    answer = ranklet("convert", *words)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {problem}")


def test_names_of_wrappers_are_read_without_them(ranklet: Command, workplace: Path) -> None:
    plain = ranklet(*TRAIN)
    assert plain.returncode == 0, plain.stderr
    path = "encoder/model.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in load_file(path).items()}, path)
    wrapped = ranklet("train", "recipe.yaml", "--out", "wrapped", "--set", "training.max_steps=1")
    assert wrapped.returncode == 0, wrapped.stderr
    first, second = (
        load_file(Path(out) / "adapter/adapter_model.safetensors") for out in ("again", "wrapped")
    )
    assert all(first[name].equal(second[name]) for name in first)


def test_names_of_a_model_and_its_wrapper_together_are_refused(
    ranklet: Command, workplace: Path
) -> None:
    path = "encoder/model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {f"module.{name}": t.clone() for name, t in tensors.items()}, path)
    answer = ranklet(*TRAIN)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {path}: holds both ")


def test_a_sentencepiece_tokenizer_is_converted(ranklet: Command, workplace: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    transformers = pytest.importorskip("transformers")
    stream = io.BytesIO()
    lines = ["the envoy scored a goal at the border", "a league of players and ministers"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=stream, vocab_size=28, minloglevel=2
    )
    Path("encoder/vocab.txt").unlink()
    Path("encoder/spm.model").write_bytes(stream.getvalue())
    fields = json.loads(Path("encoder/config.json").read_text())
    Path("encoder/config.json").write_text(json.dumps(fields | {"model_type": "xlm-roberta"}))
    config = {"tokenizer_class": "DebertaV2Tokenizer"}
    Path("encoder/tokenizer_config.json").write_text(json.dumps(config))
    theirs = transformers.AutoTokenizer.from_pretrained("encoder")
    with pytest.raises(ValueError, match=r"spm\.model is not read; convert it: ranklet convert"):
        load_tokenizer(EncoderSource("encoder").folder)
    done = ranklet("convert", "encoder", "--out", "converted")
    assert done.returncode == 0, done.stderr
    ours = load_tokenizer(Path("converted"))
    for text in ("the goal", "A minister, unknown Ünïcode", ""):
        assert ours.encode(text).ids == theirs(text)["input_ids"]
