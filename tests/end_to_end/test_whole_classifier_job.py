"""A whole classifier of transformers in every verb: in a folder, and by its hub id."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ranklet as library
from ranklet.lora.merge import merge_adapters

Command = Callable[..., Any]


@pytest.fixture
def whole(workplace: Path) -> Path:
    """A fine-tuned BERT as transformers saves it, `whole`, whose head knows the two topics."""
    folder = workplace / "whole"
    shutil.copytree("encoder", folder)
    network = library.load("run", device="cpu", precision="float32").network
    merge_adapters(network)
    tensors = {
        name: tensor.detach().clone()
        for name, tensor in network.state_dict().items()
        if name.startswith(("bert.", "classifier."))
    }
    pooler = {n: t for n, t in load_file("encoder/model.safetensors").items() if "pooler" in n}
    save_file(tensors | pooler, folder / "model.safetensors")
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    names = network.labels.names
    about = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
    }
    path.write_text(json.dumps(fields | about))
    return folder


def in_cache(folder: Path, name: str, home: Path) -> None:
    """Put a folder into the hub's cache, as it would lie there."""
    storage = home / "hub" / f"models--{name.replace('/', '--')}"
    (storage / "refs").mkdir(parents=True)
    (storage / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, storage / "snapshots" / ("0" * 40))


def test_every_verb_takes_it(ranklet: Command, whole: Path) -> None:
    def done(*words: str) -> str:
        answer = ranklet(*words)
        assert answer.returncode == 0, answer.stderr
        return str(answer.stdout)

    assert "accuracy" in done("evaluate", "whole", "--data", "test.csv")
    (answer,) = json.loads(done("classify", "whole", "the goal", "--json"))
    assert set(answer["probabilities"]) == {"World", "Sports"}
    done("predict", "whole", "test.csv", "--output", "labels.csv")
    with Path("labels.csv").open() as stream:
        labels = {row["label"] for row in csv.DictReader(stream)}
    assert labels <= {"World", "Sports"}
    stressed = done(
        "stress", "whole", "--data", "test.csv", "--kinds", "typos", "--strengths", "0.3"
    )
    assert "typos" in stressed
    assert "whole" in done("compare", "run", "whole")
    audited = json.loads(done("audit", "train.csv", "--run", "whole", "--json"))
    assert audited["tokenizer"] == "whole"
    expected = done("evaluate", "run", "--json")
    assert (
        json.loads(done("evaluate", "whole", "--data", "test.csv", "--json"))["accuracy"]
        == (json.loads(expected)["accuracy"])
    )


def test_a_run_and_it_are_compared_on_the_same_rows(whole: Path) -> None:
    comparison = library.compare(["run", "whole"])
    assert [entry.name for entry in comparison.entries] == ["run", "whole"]
    assert comparison.agreement[0][1] == 1.0  # it is the run, merged
    run, other = comparison.entries
    assert other.parameters > 10 * run.parameters
    assert other.seconds is None


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("compare", "run", "whole", "--split", "validation"),
            "whole: is no run, so it has no val",
        ),
        (("compare", "whole", "whole"), "0 run is named"),
        (("estimate", "whole", "test.csv"), "whole: is no run"),
        (("evaluate", "whole"), "whole: no test data; name some with --data"),
        (("verify", "whole"), "whole: "),
        (("shrink", "whole", "--budget", "9", "--out", "x"), "whole: a whole classifier has no ad"),
        (("classify", "whole", "x", "--encoder", "encoder"), "whole: a whole classifier, encoder"),
    ],
)
def test_what_it_cannot_do_is_said(
    words: tuple[str, ...], problem: str, ranklet: Command, whole: Path
) -> None:
    answer = ranklet(*words)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {problem}")


def test_other_labels_are_not_compared(ranklet: Command, whole: Path) -> None:
    path = whole / "config.json"
    fields = json.loads(path.read_text()) | {"id2label": {"0": "a", "1": "b"}}
    path.write_text(json.dumps(fields))
    answer = ranklet("compare", "run", "whole")
    assert answer.returncode == 2
    assert "whole: has the labels a, b, run " in answer.stderr


def test_another_test_file_is_not_compared(ranklet: Command, whole: Path) -> None:
    path = Path("test.csv")
    path.write_text(path.read_text().replace("match", "coach"))
    answer = ranklet("compare", "run", "whole")
    assert answer.returncode == 2
    assert "test.csv: holds other rows than when run was evaluated on it" in answer.stderr


def test_it_teaches_without_transformers(
    ranklet: Command, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ranklet.workflows._train import teachers

    monkeypatch.setattr(teachers, "load_transformers_teacher", None)
    done = ranklet(
        *("train", "recipe.yaml", "--out", "mine", "--set", "distillation.teacher=whole")
    )
    assert done.returncode == 0, done.stderr
    assert "teacher: whole reads" in done.stderr


def test_a_classifier_and_an_adapter_are_had_by_hub_id(
    ranklet: Command, whole: Path, workplace: Path
) -> None:
    in_cache(whole, "someone/whole", workplace / "hub")
    in_cache(Path("run/adapter"), "someone/adapter", workplace / "hub")
    folder, by_id = (
        json.loads(ranklet("classify", name, "the goal", "--json").stdout)
        for name in ("whole", "someone/whole")
    )
    assert folder == by_id
    adapter = ranklet("classify", "someone/adapter", "the goal", "--json")
    assert json.loads(adapter.stdout)[0]["label"] == by_id[0]["label"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("someone/missing", "someone/missing: no such folder, and on the hub: model 'someone/miss"),
        ("run/missing", "run/missing: no such folder; name the folder of a run"),
        ("./missing", "missing: no such folder; name the folder of a run"),
    ],
)
def test_a_folder_that_was_mistyped_is_no_hub_id(
    name: str, problem: str, ranklet: Command, workplace: Path
) -> None:
    answer = ranklet("classify", name, "text")
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {problem}")


def test_a_classifier_with_pickled_weights_names_the_command(ranklet: Command, whole: Path) -> None:
    tensors = load_file(whole / "model.safetensors")
    torch.save(tensors, whole / "pytorch_model.bin")
    (whole / "model.safetensors").unlink()
    answer = ranklet("classify", "whole", "the goal")
    assert "ranklet convert whole --out whole-converted" in answer.stderr
    assert ranklet("convert", "whole", "--out", "whole-converted").returncode == 0
    assert ranklet("classify", "whole-converted", "the goal").returncode == 0
