"""Every head through the command line: plan, train, certificate, evaluate, predict, refusals."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ranklet as library
from ranklet.encoder.bert import Encoder
from ranklet.encoder.config import read_config
from ranklet.files import sha256_file

Command = Callable[..., Any]

# 16 wide, two labels: query and value of two layers at rank 2, and the head.
ADAPTERS, LAST, INNER = 2 * 2 * 2 * 32, 2 * 16 + 2, 16 * 16 + 16
# Head, options, what it trains, its frozen numbers, those of the classifier folded from it.
HEADS: dict[str, tuple[tuple[str, ...], int, int, int]] = {
    "dense": (("head=dense",), INNER + LAST, 0, 0),
    "frozen": (("head=frozen_dense",), LAST, INNER, 0),
    "random": (("head=frozen_dense", "head_dense_init=random"), LAST, INNER, 0),
    "low rank": (("head=low_rank", "head_rank=3"), 3 * 32 + LAST, INNER, INNER + LAST),
    "linear": (("head=linear",), LAST, 0, INNER + LAST),
    "mean": (("head=linear", "pooling=mean"), LAST, 0, 0),
}


@pytest.fixture(autouse=True)
def electra(workplace: Path) -> Path:
    """A random ELECTRA of two layers beside the BERT of the workplace."""
    folder = workplace / "electra"
    folder.mkdir()
    config = json.loads((workplace / "encoder" / "config.json").read_text())
    config |= {"model_type": "electra", "embedding_size": config["hidden_size"]}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(workplace / "encoder" / "vocab.txt", folder)
    torch.manual_seed(1)
    encoder = Encoder(read_config(folder))
    for table in (m for m in encoder.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    tensors = {f"electra.{name}": tensor for name, tensor in encoder.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


def settings(*options: str) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("--set", option))


def train(ranklet: Command, out: str, *options: str) -> str:
    chosen = settings("encoder=electra", *options)
    done = ranklet("train", "recipe.yaml", "--out", out, *chosen)
    assert done.returncode == 0, done.stderr
    return str(done.stderr)


def read_json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("options", "trained", "frozen", "folded"), HEADS.values(), ids=HEADS)
def test_every_head_is_planned_trained_saved_and_used(
    options: tuple[str, ...], trained: int, frozen: int, folded: int, ranklet: Command
) -> None:
    planned = json.loads(
        ranklet("plan", "recipe.yaml", "--json", *settings("encoder=electra", *options)).stdout
    )
    assert planned["total"] == ADAPTERS + trained
    train(ranklet, "one", *options, "training.learning_rate=1e-2")
    certificate = read_json("one/certificate.json")
    assert {certificate[name] for name in ("planned", "counted", "saved")} == {planned["total"]}
    beside = {"frozen_head": frozen, "folded_head": folded, "subtracted_start": 0}
    assert certificate["saved_but_not_trained"] == beside
    own = Path("one/adapter/head.safetensors")
    assert own.exists() == (folded > 0)
    assert certificate["sha256"].get("head") == (sha256_file(own) if folded else None)
    card = Path("one/adapter/README.md").read_text()
    assert ("PEFT refuses it" in card) == ("pooling=mean" in options)
    assert ("written twice" in card) == (folded > 0)
    assert ranklet("evaluate", "one").returncode == 0
    done = ranklet("predict", "one", "test.csv", "--output", "out.csv", "--precision", "float32")
    assert done.returncode == 0, done.stderr
    rows = Path("test.csv").read_text().splitlines()[1:]
    texts = [row.rsplit(",", 1)[0] for row in rows]
    answers = [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()[1:]]
    assert library.load("one", precision="float32").predict(texts) == answers
    # The same again from the resolved recipe, to the byte.
    assert ranklet("train", "one/recipe.yaml", "--out", "again").returncode == 0
    assert read_json("again/certificate.json") == certificate
    cut = ranklet("shrink", "one", "--budget", str(planned["total"] - 32), "--out", "small")
    assert cut.returncode == 0, cut.stderr
    for run in ("one", "small"):
        checked = ranklet("verify", run)
        assert checked.returncode == 0, checked.stdout


def test_a_frozen_matrix_stays_what_it_was(ranklet: Command) -> None:
    train(ranklet, "one", "head=frozen_dense", "training.learning_rate=1e-2", "adapter.bias=all")
    tensors = load_file("one/adapter/adapter_model.safetensors")
    prefix = "base_model.model.classifier"
    assert tensors[f"{prefix}.dense.weight"].equal(torch.eye(16))
    assert not tensors[f"{prefix}.dense.bias"].any()
    assert tensors[f"{prefix}.out_proj.bias"].any()


@pytest.mark.parametrize("head", ["frozen_dense", "low_rank"])
@pytest.mark.parametrize("verb", ["plan", "train"])
def test_bert_has_no_inner_matrix_to_freeze(head: str, verb: str, ranklet: Command) -> None:
    done = ranklet(verb, "recipe.yaml", *settings(f"head={head}"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.match(
        f"error: head: {head} has no inner matrix to freeze in encoder type bert, .*; "
        "use head: dense$",
        line,
    )
    assert not Path("runs").exists()


@pytest.mark.parametrize("head", ["dense", "frozen_dense", "low_rank", "linear"])
def test_a_probe_start_is_announced_and_begins_lower(head: str, ranklet: Command) -> None:
    quick = (f"head={head}", "training.learning_rate=1e-6", "training.max_steps=1")
    said = train(ranklet, "plain", *quick)
    assert "probe" not in said
    said = train(ranklet, "probe", *quick, "head_start=probe")
    found = re.search(
        r"head: starts as the linear probe of \d+ training texts, loss (\d\.\d{4}) out of fold",
        said,
    )
    assert found
    first, start = (
        json.loads(Path(out, "metrics.jsonl").read_text().splitlines()[0])["loss"]
        for out in ("plain", "probe")
    )
    assert start < first - 0.05
    train(ranklet, "twice", *quick, "head_start=probe")
    adapters = [Path(out, "adapter/adapter_model.safetensors") for out in ("probe", "twice")]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_the_start_reads_training_texts_only(workplace: Path, ranklet: Command) -> None:
    """Other test texts, and other labels of the validation texts, change nothing in it."""
    (workplace / "own.csv").write_text("text,label\nthe team 99,Sports\nthe envoy 98,World\n")
    quick = ("head=linear", "head_start=probe", "training.max_steps=1",
             "data.validation=own.csv", "data.duplicates=keep")  # fmt: skip
    said = train(ranklet, "one", *quick)
    (workplace / "own.csv").write_text("text,label\nthe team 99,World\nthe envoy 98,Sports\n")
    (workplace / "test.csv").write_text("text,label\nteam,World\nenvoy,Sports\n")
    again = train(ranklet, "two", *quick)
    starts = [re.findall("head: starts.*", text) for text in (said, again)]
    assert starts[0] == starts[1] != []
