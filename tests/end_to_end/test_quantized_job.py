"""Training over a quantized encoder through the command line: said, kept, used and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ranklet as library

Command = Callable[..., Any]


@pytest.mark.parametrize("kept", ["int8", "nf4"])
def test_a_quantized_run_is_trained_verified_and_used(
    ranklet: Command, workplace: Path, kept: str
) -> None:
    done = ranklet("train", "recipe.yaml", "--out", "mine", "--set", f"engine.quantization={kept}")
    assert done.returncode == 0, done.stderr
    assert f"frozen weights: {kept}, " in done.stderr
    settings = json.loads(Path("mine/adapter/classifier.json").read_text())
    assert settings["quantization"] == kept
    card = Path("mine/adapter/README.md").read_text()
    assert f"kept as {kept}" in card

    assert ranklet("verify", "mine").returncode == 0
    assert ranklet("evaluate", "mine").returncode == 0
    texts = ["the coach of the team", "a treaty at the border", ""]
    whole, merged = (
        library.load("mine", precision="float32", merge=merge) for merge in (False, True)
    )
    assert whole.predict_proba(texts) == pytest.approx(merged.predict_proba(texts), abs=1e-5)


def test_a_run_does_not_load_over_other_weights(ranklet: Command, workplace: Path) -> None:
    options = ("--set", "engine.quantization=nf4")
    assert ranklet("train", "recipe.yaml", "--out", "mine", *options).returncode == 0
    path = Path("mine/adapter/classifier.json")
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"quantization": "none"}))
    refused = ranklet("classify", "mine", "the coach")
    assert refused.returncode == 2
    assert "answers differently" in refused.stderr
    path.write_text(json.dumps(settings | {"quantization": "int3"}))
    refused = ranklet("classify", "mine", "the coach")
    assert refused.returncode == 2
    assert "quantization" in refused.stderr


@pytest.mark.parametrize("field", ["quantization", "products"])
def test_runs_of_before_a_field_load(ranklet: Command, workplace: Path, field: str) -> None:
    path = Path("run/adapter/classifier.json")
    settings = json.loads(path.read_text())
    del settings[field]
    path.write_text(json.dumps(settings))
    assert ranklet("classify", "run", "the coach").returncode == 0
