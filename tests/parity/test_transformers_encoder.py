"""Encoders that transformers computes behind the same call: states, adapters, plan, files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from test_encoder import LENGTHS, TOLERANCE, pack, random_texts, transformers_states
from test_peft import LABELS, load_in_peft, our_logits, peft_logits, trained_like
from test_peft import write_word_tokenizer as write_tokenizer
from tiny_models import randomise

from ranklet.budget.plan import count_trainable, plan_parameters
from ranklet.classifier import (
    ClassifierNetwork,
    adaptable_shapes,
    build_skeleton,
    head_shapes,
    trainable_state,
)
from ranklet.encoder import transformers_config
from ranklet.encoder.config import read_config
from ranklet.encoder.source import EncoderSource
from ranklet.encoder.transformers_encoder import TransformersEncoder
from ranklet.encoder.weights import load_encoder
from ranklet.errors import MissingExtraError, RecipeError, WeightsError
from ranklet.lora.adapter_file import AdapterFile
from ranklet.lora.merge import merge_adapters
from ranklet.lora.placement import (
    module_shapes,
    place_adapters,
    resolve_placement,
    train_biases,
)
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.saved.model import load_model, save_model
from ranklet.workflows.convert import convert

pytestmark = pytest.mark.filterwarnings("ignore")

CPU = torch.device("cpu")
SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 70,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}
DEBERTA = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
FAMILIES: dict[str, dict[str, Any]] = {
    "mpnet": {"pad_token_id": 1},
    "deberta-v2": DEBERTA
    | {
        "position_biased_input": False,
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pooler_hidden_size": 48,
    },
    "albert": {"embedding_size": 20},
}
TARGETS: dict[str, tuple[str, ...]] = {
    "mpnet": ("attention.attn.q", "intermediate.dense"),
    "deberta-v2": ("query_proj", "word_embeddings", "output.dense"),
    "albert": ("query", "ffn", "word_embeddings"),
}


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random classifier of transformers with its tokenizer, as a folder."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(4)
    sizes = SIZES | FAMILIES[request.param] | {"num_labels": len(LABELS)}
    config = AutoConfig.for_model(request.param, **sizes)
    folder = tmp_path_factory.mktemp(request.param)
    randomise(AutoModelForSequenceClassification.from_config(config)).save_pretrained(folder)
    write_tokenizer(folder, config.vocab_size, config.pad_token_id)
    return folder


def family_of(base: Path) -> str:
    return read_config(base).model_type


def their_states(base: Path, texts: Any) -> torch.Tensor:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(base, dtype=torch.float32).eval()
    return transformers_states(model, texts, model.config.pad_token_id)


@pytest.mark.parametrize("attention", ["reference", "sdpa"])
def test_hidden_states_equal_transformers(base: Path, attention: Any) -> None:
    texts = random_texts(LENGTHS, 120)
    encoder = load_encoder(base, read_config(base), torch.float32, attention=attention)
    assert isinstance(encoder, TransformersEncoder)
    with torch.inference_mode():
        states, theirs = encoder(pack(texts)), their_states(base, texts)
        assert (states - theirs).abs().max() <= TOLERANCE
        batch = pack(texts)
        first = encoder(batch, first_only=True)
        assert (first - theirs[batch.cu_seqlens[:-1].long()]).abs().max() <= TOLERANCE
        for text, part in zip(texts, states.split([len(t) for t in texts]), strict=True):
            assert (encoder(pack([text])) - part).abs().max() <= TOLERANCE
        # There is no dropout in a frozen encoder, in training neither.
        assert encoder.train()(batch).equal(states)


def test_a_sabotaged_encoder_is_noticed(base: Path) -> None:
    texts = random_texts([40, 9], 120)
    encoder = load_encoder(base, read_config(base), torch.float32)
    theirs = their_states(base, texts)
    with torch.inference_mode():
        assert (encoder(pack(texts[::-1])) - theirs).abs().max() > 10 * TOLERANCE
        norms = [m for m in encoder.modules() if isinstance(m, torch.nn.LayerNorm)]
        norms[-1].bias.add_(0.01)
        assert (encoder(pack(texts)) - theirs).abs().max() > 10 * TOLERANCE


def options_of(base: Path, bias: str) -> dict[str, Any]:
    return {"target_modules": TARGETS[family_of(base)], "rank": 3, "alpha": 6.0, "bias": bias}


def adapted(base: Path, head: Any, bias: Any = "none") -> tuple[ClassifierNetwork, AdapterFile]:
    settings = ClassifierSettings(str(base), head, "cls", 64, ())
    model = assemble(
        settings, EncoderSource(settings.encoder), LABELS, None, dtype=torch.float32, device=CPU
    )
    placements = resolve_placement(adaptable_shapes(model), TARGETS[family_of(base)], 3, 6.0)
    place_adapters(model, placements, 0.0, False, seed=1)
    train_biases(model, bias, placements)
    trained_like(model)
    return model.eval(), AdapterFile(None, 3, 6.0, placements, False, bias, 0.0, {})


@pytest.mark.parametrize("bias", ["none", "lora_only", "all"])
def test_plan_equals_count_and_files_load_back(base: Path, tmp_path: Path, bias: Any) -> None:
    model, adapter = adapted(base, "linear", bias)
    skeleton = build_skeleton(read_config(base), "linear", "cls", len(LABELS))
    assert {p.device.type for p in skeleton.parameters()} == {"meta"}
    plan = plan_parameters(
        module_shapes(skeleton.encoder, skeleton.prefix),
        head_shapes(skeleton),
        resolve_placement(adaptable_shapes(skeleton), TARGETS[family_of(base)], 3, 6.0),
        bias,
        10**9,
    )
    assert plan.total == count_trainable(model)
    settings = ClassifierSettings(str(base), "linear", "cls", 64, ())
    save_model(tmp_path / "saved", model, settings, adapter, card="")
    again = load_model(tmp_path / "saved", dtype=torch.float32, device=CPU)
    before, after = trainable_state(model), trainable_state(again)
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert our_logits(again).equal(our_logits(model))
    assert load_model(tmp_path / "saved", dtype=torch.bfloat16, device=CPU)


def test_peft_computes_the_same_from_our_files(base: Path, tmp_path: Path) -> None:
    if family_of(base) == "albert":
        with pytest.raises(RecipeError, match="dense is not known for encoder type albert; use"):
            adapted(base, "dense")
        return
    model, adapter = adapted(base, "dense", "lora_only")
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    save_model(tmp_path / "saved", model, settings, adapter, card="")
    theirs = peft_logits(load_in_peft(base, tmp_path / "saved"), base)
    assert (our_logits(model) - theirs).abs().max() <= 1e-5 * theirs.abs().max().clamp_min(1)


def test_merged_adapters_answer_alike(base: Path) -> None:
    model, _ = adapted(base, "linear")
    texts = pack(random_texts(LENGTHS, SIZES["vocab_size"]))
    with torch.inference_mode():
        before = model.eval()(texts)
        assert merge_adapters(model) > 0
        assert (model(texts) - before).abs().max() <= TOLERANCE * before.abs().max()
    assert not any("lora" in name for name, _ in model.named_modules())


def test_all_linear_is_every_map_inside_the_layers(base: Path) -> None:
    shapes = adaptable_shapes(build_skeleton(read_config(base), "linear", "cls", 3))
    placed = [p.module for p in resolve_placement(shapes, "all-linear", 3, 6.0)]
    # Albert's layers are one.
    assert len(placed) == {"mpnet": 12, "deberta-v2": 12, "albert": 6}[family_of(base)]


def test_loading_says_nothing(base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_encoder(base, read_config(base), torch.float32)
    assert capfd.readouterr() == ("", "")


def test_gradients_reach_every_adapter_in_bfloat16(base: Path) -> None:
    settings = ClassifierSettings(str(base), "linear", "mean", 64, ())
    model = assemble(
        settings, EncoderSource(settings.encoder), LABELS, None, dtype=torch.bfloat16, device=CPU
    )
    placements = resolve_placement(adaptable_shapes(model), "all-linear", 2, 4.0)
    place_adapters(model, placements, 0.1, False, seed=1)
    train_biases(model, "all", placements)
    trained_like(model)
    model.train()(pack(random_texts(LENGTHS, 120))).square().mean().backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    without = [name for name, p in trained.items() if p.grad is None]
    assert not [name for name in without if "lora" in name or name.startswith("classifier")]


def rewrite(base: Path, folder: Path, **changes: Any) -> Path:
    fields: Mapping[str, Any] = json.loads((base / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(fields | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not supported; choose an encoder of type"),
        ({"model_type": "bart"}, "model_type 'bart' is not supported"),
        (
            {"model_type": "nonsense"},
            "transformers cannot use it .* choose an encoder of type bert",
        ),
    ],
)
def test_what_is_no_encoder_is_refused(
    base: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        read_config(rewrite(base, tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_without_the_extra_its_name_is_said(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_config, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "ranklet\[hf\]"'):
        read_config(base)


def _drop(tensors: dict[str, torch.Tensor], name: str) -> None:
    del tensors[name]


def _add(tensors: dict[str, torch.Tensor], name: str) -> None:
    tensors[name.replace("weight", "wait")] = tensors[name].clone()


def _spoil(tensors: dict[str, torch.Tensor], name: str) -> None:
    tensors[name][0] = float("nan")


def _cut(tensors: dict[str, torch.Tensor], name: str) -> None:
    tensors[name] = tensors[name][:-1].clone()


@pytest.mark.parametrize(
    ("sabotage", "message"),
    [
        (_drop, "1 tensors are missing, such as"),
        (_add, "1 tensors have no place in the encoder, such as"),
        (_spoil, "is not all finite"),
        (_cut, "transformers cannot load it"),
    ],
)
def test_files_are_read_strictly(base: Path, tmp_path: Path, sabotage: Any, message: str) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(base / "model.safetensors")
    name = next(n for n in sorted(tensors) if ".encoder." in n and n.endswith(".weight"))
    sabotage(tensors, name)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    rewrite(base, tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_encoder(tmp_path, read_config(tmp_path), torch.float32)
    assert "\n" not in str(caught.value)


def test_names_of_a_wrapper_are_named_with_the_command_that_removes_them(
    base: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(base, tmp_path / "wrapped"))
    path = folder / "model.safetensors"
    before = load_file(path)
    save_file({f"module.{n}": t for n, t in before.items()}, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"as in module\..* convert it: ranklet convert "):
        load_encoder(folder, read_config(folder), torch.float32)
    after = load_file(convert(folder, tmp_path / "plain") / "model.safetensors")
    assert after.keys() == before.keys()
