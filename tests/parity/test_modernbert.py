"""What ModernBERT has of its own: local attention, long texts, its config.json, its classifier."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_encoder import TOLERANCE, load, our_states, pack, random_texts, transformers_states
from test_peft import LABELS, our_logits, peft_logits, write_word_tokenizer
from tiny_models import save, transformers_classifier, transformers_encoder
from torch import Tensor

from ranklet.encoder import local_attention
from ranklet.encoder.attention import ATTENTION_BACKENDS
from ranklet.encoder.config import EncoderConfig, read_config
from ranklet.encoder.local_attention import LOCAL_BACKENDS, first_token_attention
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.weights import load_encoder
from ranklet.errors import WeightsError
from ranklet.saved.assembly import ClassifierSettings, assemble

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# The published window of 64 tokens on either side, and a last layer that is local too.
PUBLISHED: dict[str, Any] = {
    "local_attention": 128,
    "global_attn_every_n_layers": 3,
    "max_position_embeddings": 8192,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = transformers_encoder("modernbert", **PUBLISHED)
    return model, save(model, tmp_path_factory.mktemp("modernbert"))


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
@pytest.mark.parametrize("lengths", [(700, 1, 64, 65, 128, 129), (65, 20), (66, 2)])
def test_long_texts_equal_transformers(tiny: Any, attention: str, lengths: tuple[int, ...]) -> None:
    model, folder = tiny
    texts = random_texts(lengths, 120)
    theirs = transformers_states(model, texts, model.config.pad_token_id)
    encoder = load(folder, attention=attention)
    assert (our_states(encoder, texts) - theirs).abs().max() <= TOLERANCE
    batch = pack(texts)
    with torch.inference_mode():
        alone = encoder(batch, first_only=True)
    assert (alone - theirs[batch.cu_seqlens[:-1].long()]).abs().max() <= TOLERANCE


def _wider(config: EncoderConfig) -> EncoderConfig:
    return replace(config, local_attention=config.local_attention + 2)


def _all_global(config: EncoderConfig) -> EncoderConfig:
    return replace(config, local_layers=())


def _other_layers(config: EncoderConfig) -> EncoderConfig:
    return replace(config, local_layers=(0, 1))


def _swapped_thetas(config: EncoderConfig) -> EncoderConfig:
    return replace(config, local_rope_theta=config.global_rope_theta)


@pytest.mark.parametrize("sabotage", [_wider, _all_global, _other_layers, _swapped_thetas])
def test_a_wrong_locality_is_noticed(tiny: Any, sabotage: Any) -> None:
    model, folder = tiny
    texts = random_texts((300, 9), 120)
    theirs = transformers_states(model, texts, model.config.pad_token_id)
    encoder = load_encoder(folder, sabotage(read_config(folder)), torch.float32)
    assert (our_states(encoder, texts) - theirs).abs().max() > 10 * TOLERANCE


def heads(lengths: list[int], seed: int) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    starts = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    shape = (sum(lengths), 2, 4)
    return starts, [torch.randn(shape, generator=generator) for _ in range(3)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 9))
def test_blocks_equal_a_full_mask(lengths: list[int], window: int, seed: int) -> None:
    starts, (query, key, value) = heads(lengths, seed)
    full, blocks = (
        build(starts, max(lengths), window)(query, key, value) for build in LOCAL_BACKENDS.values()
    )
    assert (full - blocks).abs().max() <= TOLERANCE
    for build in ATTENTION_BACKENDS.values():
        attend = first_token_attention(starts, max(lengths), window, build)
        rows = starts[:-1].long()
        assert (attend(query[rows], key, value) - full[rows]).abs().max() <= TOLERANCE


def test_the_mask_of_a_long_text_is_not_quadratic() -> None:
    starts = torch.tensor([0, 8192], dtype=torch.int32)
    slots, text_of_block = local_attention._blocks(starts, 64)
    mask = local_attention._near_and_same_text(slots, text_of_block, 64)
    assert mask.numel() == 8192 * 3 * 64


def rewrite(folder: Path, **changes: Any) -> EncoderConfig:
    fields = json.loads((folder / "config.json").read_text()) | changes
    kept = {name: value for name, value in fields.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept))
    return read_config(folder)


def test_older_and_newer_configs_say_the_same(tmp_path: Path) -> None:
    model = transformers_encoder("modernbert", **PUBLISHED)
    newer = read_config(save(model, tmp_path))
    assert (newer.global_rope_theta, newer.local_rope_theta) == (160_000.0, 10_000.0)
    assert newer.local_layers == (1, 2)
    older = rewrite(
        tmp_path,
        rope_parameters=...,
        layer_types=...,
        global_rope_theta=160000.0,
        local_rope_theta=10000.0,
        global_attn_every_n_layers=3,
    )
    assert older == newer
    changed = rewrite(tmp_path, local_rope_theta=500.0, global_attn_every_n_layers=2)
    assert (changed.local_rope_theta, changed.local_layers) == (500.0, (1,))


YARN = {"rope_type": "yarn", "rope_theta": 1e4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm_bias": True}, "norm_bias True is not supported; allowed: False"),
        ({"rope_parameters": {"full_attention": YARN}}, "rope_parameters: full_attention .*yarn"),
        ({"rope_parameters": {}}, "rope_parameters: full_attention None is not supported"),
        (
            {"rope_parameters": ..., "global_rope_theta": 0.5},
            "global_rope_theta must be a number above 1, found 0.5",
        ),
        ({"layer_types": ["full_attention"]}, "layer_types must list .* for each of 3 layers"),
        ({"local_attention": 1}, "local_attention must be an integer from 2"),
        ({"classifier_pooling": "max"}, "classifier_pooling 'max' .* allowed: cls, mean"),
        ({"num_attention_heads": 16}, "is odd; rotary positions need an even width"),
    ],
)
def test_a_config_that_is_not_supported_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save(transformers_encoder("modernbert", **PUBLISHED), tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        rewrite(tmp_path, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_dense_head_pools_as_transformers_does(tmp_path: Path, pooling: str) -> None:
    from transformers import AutoModelForSequenceClassification

    model = transformers_classifier("modernbert", len(LABELS), classifier_pooling=pooling)
    base = save(model, tmp_path / "base")
    write_word_tokenizer(base, 120, model.config.pad_token_id)
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    ours = assemble(
        settings,
        EncoderSource(settings.encoder),
        LABELS,
        None,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    assert ours.pooling == pooling
    theirs = AutoModelForSequenceClassification.from_pretrained(base, dtype=torch.float32).eval()
    with torch.no_grad():
        ours.classifier.weight.copy_(theirs.classifier.weight)
        ours.classifier.bias.copy_(theirs.classifier.bias)
    assert (our_logits(ours) - peft_logits(theirs, base)).abs().max() <= 1e-5


def test_a_file_without_the_pretrained_head_says_so(tiny: Any) -> None:
    with pytest.raises(WeightsError, match="has no head, which head: dense reads: use head: lin"):
        load(tiny[1], with_pooler=True)


def test_bfloat16_stays_near_float32(tiny: Any) -> None:
    texts = random_texts((150, 40), 120)
    exact = our_states(load(tiny[1]), texts)
    rounded = our_states(load_encoder(tiny[1], read_config(tiny[1]), torch.bfloat16), texts)
    assert rounded.dtype == torch.bfloat16
    relative = (rounded.float() - exact).norm() / exact.norm()
    assert 1e-4 < relative < 5e-2
