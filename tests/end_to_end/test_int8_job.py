"""Training on products in 8-bit integers through the command line: said, kept, used and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library
from ranklet.encoder.int8 import rows
from ranklet.encoder.int8.compiled import compiled_rows

Command = Callable[..., Any]

IN_INT8 = ("--set", "engine.products=int8")
TEXTS = ["the coach of the team", "a treaty at the border", ""]


@pytest.fixture
def run(ranklet: Command, workplace: Path) -> Path:
    done = ranklet("train", "recipe.yaml", "--out", "mine", *IN_INT8)
    assert done.returncode == 0, done.stderr
    assert "frozen products: int8; weights " in done.stderr
    return Path("mine")


def test_it_is_trained_verified_and_answers_as_it_was_trained(ranklet: Command, run: Path) -> None:
    settings = json.loads((run / "adapter/classifier.json").read_text())
    assert settings["products"] == "int8"
    assert "trained on products in int8" in (run / "adapter/README.md").read_text()
    for verb in ("verify", "evaluate"):
        assert ranklet(verb, "mine").returncode == 0
    plain, merged = (library.load("mine", merge=merge) for merge in (False, True))
    assert (plain.predict_proba(TEXTS) == merged.predict_proba(TEXTS)).all()


def test_the_same_seed_gives_the_same_bytes(ranklet: Command, run: Path) -> None:
    assert ranklet("train", "recipe.yaml", "--out", "again", *IN_INT8).returncode == 0
    files = (Path(name, "adapter/adapter_model.safetensors") for name in ("mine", "again"))
    assert len({path.read_bytes() for path in files}) == 1


def test_unknown_products_are_refused(ranklet: Command, run: Path) -> None:
    path = run / "adapter/classifier.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"products": "int5"}))
    refused = ranklet("classify", "mine", "the coach")
    assert refused.returncode == 2
    assert "products" in refused.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("adapter.init=pissa", "adapter.use_dora=true"),
        ("adapter.bias=all", "adapter.dropout=0.1"),
        ("engine.attention=reference", "engine.activation_checkpointing=true"),
        ("head_start=probe", "training.contrastive_steps=2"),
    ],
)
def test_it_goes_with_other_ways_to_train(
    ranklet: Command, workplace: Path, options: tuple[str, ...]
) -> None:
    settings = [word for option in options for word in ("--set", option)]
    done = ranklet("train", "recipe.yaml", "--out", "mine", *IN_INT8, *settings)
    assert done.returncode == 0, done.stderr
    assert ranklet("evaluate", "mine").returncode == 0


def test_a_smaller_adapter_is_cut_and_multiplies_so_too(ranklet: Command, run: Path) -> None:
    budget = json.loads((run / "plan.json").read_text())["total"] - 128
    done = ranklet("shrink", "mine", "--budget", str(budget), "--out", "smaller")
    assert done.returncode == 0, done.stderr
    found = [path.read_text() for path in Path("smaller").rglob("classifier.json")]
    assert [json.loads(text)["products"] for text in found] == ["int8"]
    assert ranklet("classify", "smaller", "the coach").returncode == 0


def test_it_is_not_compiled_by_pytorch(ranklet: Command, run: Path) -> None:
    Path("in.txt").write_text("the coach\n", encoding="utf-8")
    refused = ranklet("predict", "mine", "in.txt", "--output", "out.csv", "--compile")
    assert refused.returncode == 2
    assert "products in int8 have kernels of their own; leave it out" in refused.stderr
    assert not Path("out.csv").exists()


def test_without_a_compiler_it_is_said_and_comes_to_the_same(
    ranklet: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    compiled_rows.cache_clear()
    try:
        assert rows.compiled_rows() is None
        done = ranklet("train", "recipe.yaml", "--out", "again", *IN_INT8)
        assert "no C compiler, so slower" in done.stderr
    finally:
        compiled_rows.cache_clear()
    files = (Path(name, "adapter/adapter_model.safetensors") for name in ("mine", "again"))
    assert len({path.read_bytes() for path in files}) == 1


def test_frozen_layers_are_kept_apart_from_those_in_float(
    ranklet: Command, workplace: Path
) -> None:
    upper = ("--set", "adapter.layers=[1]", "--set", "training.epochs=2")
    for name, options in (("float", ()), ("int8", IN_INT8), ("again", IN_INT8)):
        done = ranklet("train", "recipe.yaml", "--out", name, *upper, *options)
        assert done.returncode == 0, done.stderr
    adapters = [
        Path(name, "adapter/adapter_model.safetensors").read_bytes()
        for name in ("float", "int8", "again")
    ]
    assert adapters[0] != adapters[1]
    assert adapters[1] == adapters[2]
