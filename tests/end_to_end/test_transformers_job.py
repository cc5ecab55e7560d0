"""From files to a run with an encoder that transformers computes, its frozen layers kept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ranklet as library

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}
# DeBERTa-v3's positions.
DEBERTA = {
    "type_vocab_size": 0,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pooler_hidden_size": 16,
}
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "deberta-v2": (DEBERTA, "[query_proj,value_proj]"),
    "mpnet": ({}, "[attn.q,attn.v]"),
}
KEPT = r"frozen layers: the lowest 2 run once, 0\.00 GiB in .*frozen_layers"


@pytest.fixture(params=KINDS)
def options(request: pytest.FixtureRequest, workplace: Path) -> tuple[str, ...]:
    """Write `theirs`, an encoder of three layers; return options that adapt the last one."""
    from transformers import AutoConfig, AutoModel

    fields, targets = KINDS[request.param]
    words = (workplace / "encoder" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    config = AutoConfig.for_model(request.param, **SIZES, **fields, vocab_size=len(words))
    torch.manual_seed(1)
    AutoModel.from_config(config).save_pretrained(workplace / "theirs")
    shutil.copy(workplace / "encoder" / "vocab.txt", workplace / "theirs")
    chosen = ("encoder=theirs", "adapter.layers=[2]", f"adapter.target_modules={targets}",
              "training.epochs=3", "training.learning_rate=5e-3")  # fmt: skip
    return tuple(word for option in chosen for word in ("--set", option))


def trained(ranklet: Callable[..., Any], out: str, *options: str) -> tuple[str, torch.Tensor]:
    """Train; return what was announced and the logits of a few texts."""
    done = ranklet("train", "recipe.yaml", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    model = library.load(out, precision="float32")
    texts = ["the team a goal 3", "the envoy", "a treaty the border capital coach 7 9 11"]
    return done.stdout + done.stderr, model.network.predict_logits(model.network.corpus(texts))


def kept_files() -> dict[str, int]:
    folder = Path(os.environ["RANKLET_CACHE"]) / "frozen_layers"
    found = sorted(folder.iterdir()) if folder.exists() else []
    return {path.name: path.stat().st_ino for path in found}


def test_frozen_layers_run_once_and_for_both_runs(
    options: tuple[str, ...], ranklet: Callable[..., Any]
) -> None:
    said, plain = trained(ranklet, "plain", *options, "--set", "engine.cache_frozen_layers=never")
    assert "frozen layers" not in said
    assert kept_files() == {}
    said, logits = trained(ranklet, "first", *options)
    assert re.search(KEPT, said), said
    kept = kept_files()
    assert len(kept) == 2  # train and validation
    assert (logits - plain).abs().max() <= 1e-4 * plain.abs().max()
    said, again = trained(ranklet, "second", *options)
    assert re.search(KEPT, said), said
    assert kept_files() == kept
    assert again.equal(logits)
    other = trained(ranklet, "other", *options, "--set", "seed=1")[1]
    assert (other - plain).abs().max() > 1e-2 * plain.abs().max()
