"""Our encoder against transformers', on random small models and on the real MiniLM."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import (
    FAMILIES,
    SIZES,
    randomise,
    save,
    transformers_config,
    transformers_encoder,
)
from torch import Tensor

from ranklet.batch import Batch
from ranklet.encoder import config_fields
from ranklet.encoder.config import read_config
from ranklet.encoder.families import AnyEncoder
from ranklet.encoder.modernbert import ModernBertEncoder
from ranklet.encoder.weights import load_encoder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

LENGTHS = (1, 7, 33, 64, 12, 12)
TOLERANCE = 1e-5

# A key's bias shifts all scores of a query alike: its gradient is zero but for rounding.
KEY_BIASES = ("key.bias", "k_lin.bias")


def random_texts(lengths: Sequence[int], vocab_size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(4, vocab_size, (n,), generator=generator) for n in lengths]


def pack(texts: Sequence[Tensor]) -> Batch:
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.int32)
    starts = torch.zeros(len(texts) + 1, dtype=torch.int32)
    starts[1:] = lengths.cumsum(0)
    return Batch(torch.cat(list(texts)), starts, int(lengths.max()))


def transformers_states(model: Any, texts: Sequence[Tensor], pad: int) -> Tensor:
    ids = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True, padding_value=pad)
    mask = torch.arange(ids.shape[1]) < torch.tensor([len(text) for text in texts])[:, None]
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask.long()).last_hidden_state[mask]


def our_states(encoder: AnyEncoder, texts: Sequence[Tensor]) -> Tensor:
    with torch.inference_mode():
        return encoder(pack(texts))


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = transformers_encoder(request.param)
    return model, save(model, tmp_path_factory.mktemp("tiny"))


def load(folder: Path, **options: Any) -> AnyEncoder:
    return load_encoder(folder, read_config(folder), torch.float32, **options)


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
def test_hidden_states_equal_transformers(tiny: Any, attention: str) -> None:
    model, folder = tiny
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    theirs = transformers_states(model, texts, model.config.pad_token_id)
    ours = our_states(load(folder, attention=attention), texts)
    assert (ours - theirs).abs().max() <= TOLERANCE


def _tanh_gelu(encoder: AnyEncoder) -> None:
    for module in encoder.modules():
        if hasattr(module, "activation"):
            module.activation = lambda states: torch.nn.functional.gelu(states, approximate="tanh")


def _shifted_positions(encoder: AnyEncoder) -> None:
    if isinstance(encoder, ModernBertEncoder):
        encoder.config = replace(encoder.config, global_rope_theta=10.0)
    else:
        encoder.embeddings.position_offset += 1


def _swapped_query_and_key(encoder: AnyEncoder) -> None:
    for module in encoder.layers[0].modules():
        if hasattr(module, "Wqkv"):
            query, key, value = module.Wqkv.weight.clone().chunk(3)
            module.Wqkv.weight.copy_(torch.cat([key, query, value]))
        for query, key in (("query", "key"), ("q_lin", "k_lin")):
            if hasattr(module, query):
                first, second = getattr(module, query), getattr(module, key)
                setattr(module, query, second)
                setattr(module, key, first)


def _other_rows(encoder: AnyEncoder) -> None:
    encoder.forward = lambda batch, forward=encoder.forward: forward(batch).roll(1, 0)


def _lost_bias(encoder: AnyEncoder) -> None:
    biases = [p for name, p in encoder.layers[2].named_parameters() if name.endswith("bias")]
    (biases[-1] if biases else encoder.layers[2].mlp_norm.weight).zero_()


@pytest.mark.parametrize(
    "sabotage", [_tanh_gelu, _shifted_positions, _swapped_query_and_key, _lost_bias, _other_rows]
)
def test_a_sabotaged_encoder_is_noticed(tiny: Any, sabotage: Callable[[AnyEncoder], None]) -> None:
    model, folder = tiny
    texts = random_texts([40, 9], SIZES["vocab_size"])
    theirs = transformers_states(model, texts, model.config.pad_token_id)
    encoder = load(folder)
    with torch.no_grad():
        sabotage(encoder)
    assert (our_states(encoder, texts) - theirs).abs().max() > 10 * TOLERANCE


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
def test_a_text_does_not_depend_on_its_batch_mates(tiny: Any, attention: str) -> None:
    _, folder = tiny
    encoder = load(folder, attention=attention)
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    together = our_states(encoder, texts).split([len(text) for text in texts])
    for text, states in zip(texts, together, strict=True):
        assert (our_states(encoder, [text]) - states).abs().max() <= TOLERANCE


def first_rows(batch: Batch) -> Tensor:
    return batch.cu_seqlens[:-1].long()


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
def test_first_tokens_alone_equal_those_of_all(tiny: Any, attention: str) -> None:
    encoder = load(tiny[1], attention=attention)
    for lengths in (LENGTHS, (9, 9, 9)):
        batch = pack(random_texts(lengths, SIZES["vocab_size"]))
        with torch.inference_mode():
            alone, all_tokens = encoder(batch, first_only=True), encoder(batch)
        assert (alone - all_tokens[first_rows(batch)]).abs().max() <= TOLERANCE


def test_gradients_through_first_tokens_equal_those_of_all(tiny: Any) -> None:
    batch = pack(random_texts(LENGTHS, SIZES["vocab_size"]))
    gradients = []
    for first_only in (False, True):
        encoder = load(tiny[1]).requires_grad_(True)
        states = encoder(batch, first_only)
        (states if first_only else states[first_rows(batch)]).square().mean().backward()
        gradients.append({n: p.grad for n, p in encoder.named_parameters() if p.grad is not None})
    for name, gradient in gradients[0].items():
        scale = gradient.abs().max().clamp_min(1e-6)
        if not name.endswith(KEY_BIASES):
            assert (gradients[1][name] - gradient).abs().max() <= 1e-4 * scale, name


def test_padding_that_leaks_is_noticed(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ranklet.encoder.packing import PaddedLayout

    _, folder = tiny
    texts = random_texts([5, 60], SIZES["vocab_size"])
    right = our_states(load(folder), texts)
    monkeypatch.setattr(PaddedLayout, "key_mask", lambda self: None)
    assert (our_states(load(folder), texts) - right).abs().max() > 10 * TOLERANCE


@pytest.mark.parametrize("activation", ["gelu_new", "relu", "gelu_pytorch_tanh"])
def test_other_activations_equal_transformers(tmp_path: Path, activation: str) -> None:
    model = transformers_encoder("bert", hidden_act=activation)
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    theirs = transformers_states(model, texts, 0)
    assert (our_states(load(save(model, tmp_path)), texts) - theirs).abs().max() <= TOLERANCE


# Family, and fields of its config.json; ... leaves one out.
LEFT_OUT = [
    *[(family, {"layer_norm_eps": ...}) for family in ("bert", "roberta", "electra")],
    *[(family, {"pad_token_id": ...}) for family in ("bert", "roberta", "distilbert", "electra")],
    ("xlm-roberta", {"pad_token_id": ..., "layer_norm_eps": ...}),
    ("bert", {"position_embedding_type": None}),
    ("roberta", {"position_embedding_type": None, "hidden_act": "gelu_python"}),
    ("bert", {"hidden_act": ...}),
    *[("bert", {"hidden_act": name}) for name in ("gelu_fast", "gelu_accurate")],
    ("distilbert", {"activation": "gelu_python_tanh"}),
    ("modernbert", {"norm_eps": ..., "local_attention": ..., "layer_types": ...}),
    ("modernbert", {"rope_parameters": ...}),
]


def with_fields(family: str, fields: dict[str, Any], folder: Path) -> Path:
    """Write a tiny model whose config.json says other things, or nothing, in some fields."""
    save(transformers_encoder(family), folder)
    path = folder / "config.json"
    stated = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not ...}))
    return folder


def distance_to_transformers(folder: Path) -> float:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    theirs = transformers_states(model, texts, read_config(folder).pad_token_id % 120)
    return float((our_states(load(folder), texts) - theirs).abs().max())


@pytest.mark.parametrize(("family", "fields"), LEFT_OUT)
def test_a_sparse_config_is_read_as_transformers_reads_it(
    family: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    assert distance_to_transformers(with_fields(family, fields, tmp_path)) <= TOLERANCE


@pytest.mark.parametrize(
    ("family", "name", "value"),
    [("roberta", "pad_token_id", 0), ("bert", "layer_norm_eps", 0.01)],
)
def test_another_default_is_noticed(
    family: str, name: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {**config_fields._ABSENT[family], name: value}
    monkeypatch.setitem(config_fields._ABSENT, family, defaults)
    folder = with_fields(family, {name: ...}, tmp_path)
    assert distance_to_transformers(folder) > 10 * TOLERANCE


def test_backends_give_equal_gradients(tiny: Any) -> None:
    _, folder = tiny
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    gradients = []
    for attention in ("reference", "sdpa"):
        encoder = load(folder, attention=attention).requires_grad_(True)
        (encoder(pack(texts)) ** 2).mean().backward()
        gradients.append({n: p.grad for n, p in encoder.named_parameters() if p.grad is not None})
    for name, gradient in gradients[0].items():
        scale = gradient.abs().max().clamp_min(1e-6)
        if not name.endswith(KEY_BIASES):
            assert (gradients[1][name] - gradient).abs().max() <= 1e-4 * scale, name


def test_electra_as_wide_as_its_tables_has_no_projection(tmp_path: Path) -> None:
    model = transformers_encoder("electra", embedding_size=SIZES["hidden_size"])
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    encoder = load(save(model, tmp_path))
    assert not hasattr(encoder, "embeddings_project")
    theirs = transformers_states(model, texts, 0)
    assert (our_states(encoder, texts) - theirs).abs().max() <= TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_pretraining_heads_in_the_file_are_left(family: str, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    torch.manual_seed(3)
    model = randomise(AutoModelForMaskedLM.from_config(transformers_config(family)))
    texts = random_texts(LENGTHS, SIZES["vocab_size"])
    theirs = transformers_states(model.base_model, texts, model.config.pad_token_id)
    assert (our_states(load(save(model, tmp_path)), texts) - theirs).abs().max() <= TOLERANCE


def test_minilm_equals_transformers(minilm_folder: Path) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(minilm_folder, dtype=torch.float32).eval()
    texts = random_texts((3, 128, 40, 17), 30000)
    theirs = transformers_states(model, texts, 0)
    for attention in ("reference", "sdpa"):
        ours = our_states(load(minilm_folder, attention=attention), texts)
        assert (ours - theirs).abs().max() <= TOLERANCE


def test_bfloat16_stays_near_float32(minilm_folder: Path) -> None:
    texts = random_texts((30, 60, 20), 30000)
    exact = our_states(load(minilm_folder), texts)
    config = read_config(minilm_folder)
    rounded = our_states(load_encoder(minilm_folder, config, torch.bfloat16), texts)
    assert rounded.dtype == torch.bfloat16
    relative = (rounded.float() - exact).norm() / exact.norm()
    assert 1e-4 < relative < 3e-2
