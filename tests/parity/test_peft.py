"""Our adapters in peft + transformers, and peft's adapters in ours: equal logits both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sealed import seal
from tiny_models import FAMILIES, randomise, save, transformers_classifier
from torch import Tensor

from ranklet.budget.plan import count_trainable
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, trainable_state
from ranklet.data.tokens.tokenizer import load_tokenizer, write_tokenizer
from ranklet.encoder.source import EncoderSource
from ranklet.labels import LabelSet
from ranklet.lora.adapter_file import AdapterFile, as_plain_lora
from ranklet.lora.linear import LoRAEmbedding, LoRALinear
from ranklet.lora.merge import merge_adapters
from ranklet.lora.placement import (
    norm_modules,
    place_adapters,
    resolve_placement,
    train_biases,
    train_modules,
)
from ranklet.saved.assembly import ClassifierSettings, assemble
from ranklet.saved.model import load_model, save_model
from ranklet.training.techniques.activation_start import start_from_activations

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        __import__("importlib.util", fromlist=["find_spec"]).find_spec("peft") is None,
        reason="the hf extra is not installed",
    ),
]

CPU = torch.device("cpu")
TEXTS = (
    "w3 w4 w5",
    "w7",
    " ".join(f"w{n}" for n in range(2, 60)),
    "w9 w9 w9 w9 w20 w21 w100 w101",
)
LABELS = LabelSet(("World", "Sports", "Business"))

# Every option that changes what is trained or how it is scaled, in BERT's names.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "query and value": {"target_modules": ("query", "value")},
    "all linear": {"target_modules": "all-linear"},
    "rslora": {"target_modules": ("query", "key", "value"), "use_rslora": True},
    "bias lora_only": {"target_modules": ("query", "output.dense"), "bias": "lora_only"},
    "bias all": {"target_modules": ("query", "key", "value"), "bias": "all"},
    "some layers": {"target_modules": ("query", "intermediate.dense"), "layers": (0, 2)},
    "patterns": {
        "target_modules": ("query", "key", "output.dense"),
        "rank_pattern": {"layer.1.attention.self.query": 7, "layer.2.output.dense": 1},
        "alpha_pattern": {"key": 3.0, "layer.0.attention.self.query": 32.0},
    },
    "exclusions": {"target_modules": "all-linear", "exclude_modules": ("query",)},
    "layer norm": {"target_modules": ("query",), "train_layer_norm": True},
    "dora": {"target_modules": ("query", "output.dense"), "use_dora": True},
    "dora embeddings": {
        "target_modules": ("value", "word_embeddings"),
        "use_dora": True,
        "use_rslora": True,
        "bias": "lora_only",
    },
    "pissa": {"target_modules": ("query", "intermediate.dense"), "init": "pissa"},
    "pissa dora": {
        "target_modules": ("query",),
        "init": "pissa",
        "use_dora": True,
        "use_rslora": True,
    },
    "olora": {"target_modules": ("query", "word_embeddings"), "init": "olora"},
    "embeddings": {"target_modules": ("query", "word_embeddings", "position_embeddings")},
}
# The same modules in families that name them otherwise; the last ones first.
OTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    "distilbert": {
        "attention.self.query": "attention.q_lin",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "query": "q_lin",
        "key": "k_lin",
        "value": "v_lin",
    },
    "modernbert": {
        "layer.0.attention.self.query": "layers.0.attn.Wqkv",
        "layer.1.attention.self.query": "layers.1.attn.Wqkv",
        "layer.2.output.dense": "layers.2.mlp.Wo",
        "intermediate.dense": "mlp.Wi",
        "output.dense": "mlp.Wo",
        "query": "attn.Wqkv",
        "key": "attn.Wo",
        "value": "mlp.Wi",
        "word_embeddings": "tok_embeddings",
        "position_embeddings": "tok_embeddings",
    },
}
BERT_LINEARS = ("query", "key", "value", "output.dense", "intermediate.dense")


def named_for(family: str, options: Any) -> Any:
    """Translate every module name in options from BERT's into a family's."""
    if isinstance(options, str):
        for theirs, name in OTHER_NAMES.get(family, {}).items():
            if options == theirs or options.endswith("." + theirs):
                return options.removesuffix(theirs) + name
        return options
    if isinstance(options, Mapping):
        return {named_for(family, key): named_for(family, value) for key, value in options.items()}
    if isinstance(options, tuple):
        return tuple(dict.fromkeys(named_for(family, item) for item in options))
    return options


@pytest.fixture
def options(request: pytest.FixtureRequest, base: Path) -> Mapping[str, Any]:
    """One of `OPTIONS`, in the names of the family of `base`."""
    return named_for(family_of(base), OPTIONS[request.param])


def family_of(base: Path) -> str:
    return str(json.loads((base / "config.json").read_text())["model_type"])


def linears_of(base: Path) -> list[str]:
    names = list(named_for(family_of(base), BERT_LINEARS))
    return [*names, "out_lin"] if family_of(base) == "distilbert" else names


def write_word_tokenizer(folder: Path, vocab_size: int, pad: int) -> None:
    """A tokenizer of plain words, `w<number>`, with ids that spare the padding id."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocab = {f"w{n}": n for n in range(vocab_size) if n != pad} | {"[PAD]": pad}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="w2"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing("w5 $A", None, [("w5", 5)])
    write_tokenizer(tokenizer, folder, 64)


# XLM-RoBERTa's modules are RoBERTa's, class by class; test_whole_classifiers compares it too.
COMPARED = tuple(name for name in FAMILIES if name != "xlm-roberta")
# BERT has every module by its own name, ModernBERT has three maps in one. The other families
# differ from BERT by names alone, which these options show.
EVERY_OPTION_IN = ("bert", "modernbert")
ELSEWHERE = ("all linear", "bias all", "patterns", "dora embeddings", "pissa dora")


def in_families(options: Sequence[str]) -> pytest.MarkDecorator:
    """Run a test with options in the two families above, and with the telling ones elsewhere."""
    cases = [
        (family, option)
        for family in COMPARED
        for option in options
        if family in EVERY_OPTION_IN or option in ELSEWHERE
    ]
    return pytest.mark.parametrize(("base", "options"), cases, indirect=True)


@pytest.fixture(scope="module", params=COMPARED)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random classifier of transformers with its tokenizer, as a folder."""
    folder = tmp_path_factory.mktemp(request.param)
    model = transformers_classifier(request.param, len(LABELS))
    save(model, folder)
    write_word_tokenizer(folder, model.config.vocab_size, model.config.pad_token_id)
    return folder


def trained_like(model: ClassifierNetwork) -> None:
    """Give every trainable tensor values that matter."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


def our_classifier(
    base: Path, options: Mapping[str, Any], change: bool = True, attention: Any = "sdpa"
) -> tuple[ClassifierNetwork, AdapterFile]:
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    model = assemble(
        settings,
        EncoderSource(settings.encoder),
        LABELS,
        None,
        dtype=torch.float32,
        device=CPU,
        attention=attention,
    )
    chosen = dict(options)
    use_rslora, bias = chosen.pop("use_rslora", False), chosen.pop("bias", "none")
    use_dora, init = chosen.pop("use_dora", False), chosen.pop("init", "default")
    shapes = adaptable_shapes(model)
    norms = norm_modules(shapes, None) if chosen.pop("train_layer_norm", False) else ()
    placements = resolve_placement(shapes, rank=4, alpha=6.0, **chosen)
    place_adapters(model, placements, 0.0, use_rslora, 1, use_dora, init)
    train_biases(model, bias, placements)
    train_modules(model, norms)
    if change:
        trained_like(model)
    adapter = AdapterFile(
        None, 4, 6.0, placements, use_rslora, bias, 0.0, {}, use_dora, norms, init
    )
    return model.eval(), adapter


def saved(base: Path, options: Mapping[str, Any], folder: Path) -> tuple[ClassifierNetwork, Path]:
    model, adapter = our_classifier(base, options)
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    save_model(folder, model, settings, adapter, card="")
    return model, folder


def our_logits(model: ClassifierNetwork, texts: Sequence[str] = TEXTS) -> Tensor:
    return torch.from_numpy(np.log(model.predict_proba(texts).astype(np.float64)))


def peft_logits(model: Any, base: Path, texts: Sequence[str] = TEXTS) -> Tensor:
    tokenizer, pad = load_tokenizer(base), model.config.pad_token_id
    ids = [torch.tensor(tokenizer.encode(text).ids) for text in texts]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad)
    mask = torch.arange(padded.shape[1]) < torch.tensor([len(row) for row in ids])[:, None]
    with torch.inference_mode():
        logits = model(input_ids=padded, attention_mask=mask.long()).logits
    return logits.double().log_softmax(-1)


def assert_equal(ours: Tensor, theirs: Tensor, base: Path) -> None:
    # A tanh before the last map keeps logits near 1; other heads are judged by their largest.
    bounded = family_of(base) in ("bert", "roberta", "xlm-roberta")
    scale = 1.0 if bounded else max(1.0, float(theirs.abs().max()))
    assert (ours - theirs).abs().max() <= 1e-5 * scale


def load_in_peft(base: Path, adapter: Path) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(LABELS), dtype=torch.float32
    )
    return PeftModel.from_pretrained(model, adapter).eval()


@in_families([*OPTIONS])
def test_peft_computes_the_same_from_our_files(
    base: Path, options: Mapping[str, Any], tmp_path: Path
) -> None:
    model, folder = saved(base, options, tmp_path / "adapter")
    theirs = load_in_peft(base, folder)
    assert_equal(our_logits(model), peft_logits(theirs, base), base)


@in_families([*OPTIONS])
def test_our_files_load_back_equal(base: Path, options: Mapping[str, Any], tmp_path: Path) -> None:
    model, adapter = our_classifier(base, options)
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    save_model(tmp_path / "adapter", model, settings, adapter, card="")
    again = load_model(tmp_path / "adapter", dtype=torch.float32, device=CPU)
    before = as_plain_lora(model, replace(adapter, tensors=trainable_state(model))).tensors
    after = trainable_state(again)
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert again.labels == model.labels
    difference = (our_logits(again) - our_logits(model)).abs().max()
    assert difference <= (1e-5 if "init" in options else 0.0)


@in_families([*OPTIONS])
def test_merged_adapters_compute_the_same(base: Path, options: Mapping[str, Any]) -> None:
    model, adapter = our_classifier(base, options)
    before = our_logits(model)
    assert merge_adapters(model) == len(adapter.placements)
    assert_equal(our_logits(model), before, base)


@pytest.mark.parametrize("options", ["dora embeddings", "pissa", "pissa dora"], indirect=True)
def test_a_sabotaged_merge_is_noticed(base: Path, options: Mapping[str, Any]) -> None:
    model, _ = our_classifier(base, options)
    before = our_logits(model)
    for module in model.modules():
        if isinstance(module, LoRALinear | LoRAEmbedding):
            module.lora_magnitude_vector = None
            if isinstance(module, LoRALinear):
                module._start_down = module._start_up = None
    merge_adapters(model)
    assert (our_logits(model) - before).abs().max() > 1e-3


VARIANTS = ("layer norm", "dora", "dora embeddings", "pissa", "pissa dora", "olora")


@pytest.mark.parametrize("options", VARIANTS, indirect=True)
def test_a_fresh_variant_changes_nothing(base: Path, options: Mapping[str, Any]) -> None:
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    plain = assemble(
        settings, EncoderSource(settings.encoder), LABELS, None, dtype=torch.float32, device=CPU
    ).eval()
    fresh, _ = our_classifier(base, options, change=False)
    assert_equal(our_logits(fresh), our_logits(plain), base)


def test_eva_starts_at_main_directions_and_changes_nothing(base: Path) -> None:
    options = named_for(family_of(base), {"target_modules": ("query", "output.dense")})
    settings = ClassifierSettings(str(base), "dense", "cls", 64, ())
    plain = assemble(
        settings, EncoderSource(settings.encoder), LABELS, None, dtype=torch.float32, device=CPU
    ).eval()
    first = our_classifier(base, options, change=False)[0]
    again = our_classifier(base, options, change=False, attention="reference")[0]
    drawn = trainable_state(first)
    for model in (first, again):
        start_from_activations(model, model.corpus(TEXTS), seed=0)
    assert_equal(our_logits(first), our_logits(plain), base)
    same = trainable_state(again)
    for name, tensor in trainable_state(first).items():
        if name.endswith("lora_A.weight"):
            torch.testing.assert_close(tensor @ tensor.T, torch.eye(4), atol=1e-5, rtol=0)
            # The same space; the order of near eigenvalues may differ.
            overlap = torch.linalg.svdvals(tensor @ same[name].T)
            assert overlap.min() > 0.99
            assert torch.linalg.svdvals(tensor @ drawn[name].T).min() < 0.9


def gradients(model: ClassifierNetwork) -> dict[str, Tensor]:
    model.train()
    corpus = model.corpus(TEXTS)
    weights = torch.randn(len(TEXTS), len(LABELS), generator=torch.Generator().manual_seed(2))
    (model(corpus.batch(np.arange(len(TEXTS)))).log_softmax(-1) * weights).sum().backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("options", VARIANTS, indirect=True)
def test_fused_and_plain_layers_have_equal_gradients(
    base: Path, options: Mapping[str, Any]
) -> None:
    fused = gradients(our_classifier(base, options)[0])
    model, adapter = our_classifier(base, options, attention="reference")
    plain = gradients(model)
    assert fused.keys() == plain.keys() == trainable_state(model).keys()
    for name, gradient in plain.items():
        scale = float(gradient.abs().max())
        assert (fused[name] - gradient).abs().max() <= 1e-4 * scale + 1e-6, name
    # Its sabotaged twin: gradients of a model that lost its lengths or its start are others.
    lost = dict(options) | {"use_dora": False, "init": "default", "train_layer_norm": False}
    other = gradients(our_classifier(base, lost)[0])
    first = f"{adapter.placements[-1].module}.lora_B.weight"
    assert first not in other or (other[first] - plain[first]).abs().max() > 1e-4


@in_families([*OPTIONS])
def test_we_compute_the_same_from_pefts_files(
    base: Path, options: Mapping[str, Any], tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    chosen = dict(options)
    layers, init = chosen.pop("layers", None), chosen.pop("init", True)
    saved_whole = ["pre_classifier"] if family_of(base) == "distilbert" else []
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(LABELS), dtype=torch.float32
    )
    if chosen["target_modules"] == "all-linear":
        chosen["target_modules"] = linears_of(base)
    if chosen.pop("train_layer_norm", False):
        saved_whole += [
            name
            for name, part in model.named_modules()
            if isinstance(part, torch.nn.LayerNorm)
            and not name.startswith(("classifier", "head."))
            and part.weight is not None
        ]
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=4,
        lora_alpha=6,
        init_lora_weights=init,
        modules_to_save=saved_whole or None,
        layers_to_transform=None if layers is None else list(layers),
        **{k: list(v) if isinstance(v, tuple) else v for k, v in chosen.items()},
    )
    theirs = get_peft_model(model, config)
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
    theirs.eval().save_pretrained(tmp_path)
    ours = load_model(
        tmp_path, encoder=str(base), label_names=LABELS.names, dtype=torch.float32, device=CPU
    )
    assert_equal(our_logits(ours), peft_logits(theirs, base), base)
    if "bias" not in options:  # PEFT counts biases of modules_to_save twice
        assert theirs.get_nb_trainable_parameters()[0] == count_trainable(ours)


def _double_alpha(folder: Path) -> None:
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"lora_alpha": 2 * config["lora_alpha"]}))


def _swap_two_tensors(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    first, second = sorted(name for name in tensors if name.endswith("lora_B.weight"))[:3:2]
    tensors[first], tensors[second] = tensors[second], tensors[first]
    save_file(tensors, path, {"format": "pt"})


def _double_lengths(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("lora_magnitude_vector"))
    tensors[name] = 2 * tensors[name]
    save_file(tensors, path, {"format": "pt"})


def _undo_norms(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    for name in tensors:
        if "norm" in name.lower():
            tensors[name] = tensors[name].flip(0)
    save_file(tensors, path, {"format": "pt"})


def _halve_rank(folder: Path) -> None:
    """Leave the start out of a converted adapter, as if it were plain."""
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if name.endswith("lora_B.weight"):
            tensors[name] = torch.cat([tensor[:, :4], torch.zeros_like(tensor[:, 4:])], 1)
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("name", "sabotage"),
    [("dora", _double_lengths), ("layer norm", _undo_norms), ("pissa", _halve_rank)],
)
def test_a_sabotaged_variant_is_noticed(
    base: Path, tmp_path: Path, name: str, sabotage: Any
) -> None:
    from ranklet.errors import RunError

    options = named_for(family_of(base), OPTIONS[name])
    model, folder = saved(base, options, tmp_path / "adapter")
    sabotage(folder)
    seal(folder)
    theirs = load_in_peft(base, folder)
    assert (our_logits(model) - peft_logits(theirs, base)).abs().max() > 1e-3
    with pytest.raises(RunError, match="answers differently"):
        load_model(folder, dtype=torch.float32, device=CPU)


def _zero_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(("out_proj.weight", "classifier.weight")))
    tensors[name] = torch.zeros_like(tensors[name])
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize("sabotage", [_double_alpha, _swap_two_tensors, _zero_head])
def test_a_sabotaged_file_is_noticed_by_peft_and_by_us(
    base: Path, tmp_path: Path, sabotage: Any
) -> None:
    from ranklet.errors import RunError

    model, folder = saved(
        base, named_for(family_of(base), OPTIONS["query and value"]), tmp_path / "adapter"
    )
    sabotage(folder)
    seal(folder)
    theirs = load_in_peft(base, folder)
    assert (our_logits(model) - peft_logits(theirs, base)).abs().max() > 1e-3
    with pytest.raises(RunError, match="answers differently"):
        load_model(folder, dtype=torch.float32, device=CPU)


def test_the_seed_adapter_gives_pefts_logits(
    shared_folder: Path, roberta_base_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    adapter = shared_folder / "seed_adapters" / "qkv_r4_alpha96"
    config = AutoConfig.from_pretrained(roberta_base_folder, num_labels=4)
    torch.manual_seed(0)
    model = randomise(AutoModelForSequenceClassification.from_config(config))
    base = save(model, tmp_path / "base")
    write_tokenizer(load_tokenizer(roberta_base_folder), base, 512)
    names = ("World", "Sports", "Business", "Sci/Tech")
    ours = load_model(
        adapter, encoder=str(base), label_names=names, dtype=torch.float32, device=CPU
    )
    assert sum(p.numel() for p in ours.parameters() if p.requires_grad) == 814_852
    texts = ("Shares of the maker fell.", "A late goal in the rain gives the home side a draw.")
    from peft import PeftModel

    theirs = PeftModel.from_pretrained(model, adapter).eval()
    assert (our_logits(ours, texts) - peft_logits(theirs, base, texts)).abs().max() <= 1e-4


@in_families(["query and value", "patterns", "embeddings"])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_peft_computes_the_same_from_a_shrunk_adapter(
    base: Path, options: Mapping[str, Any], share: float, tmp_path: Path
) -> None:
    from ranklet.run.model_source import ModelSource
    from ranklet.workflows.shrink import shrink

    model, folder = saved(base, options, tmp_path / "adapter")
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    head = sum(p.numel() for n in model.head_modules for p in model.get_submodule(n).parameters())
    budget = head + int(share * (total - head))
    source = ModelSource(folder, device="cpu", precision="float32")
    done = shrink(source, budget, tmp_path / "small")
    assert (
        budget - max(s.parameters_per_rank for s in adaptable_shapes(model).values())
        < (done.parameters[1])
    )
    assert done.parameters[1] <= budget
    ours = our_logits(load_model(tmp_path / "small", dtype=torch.float32, device=CPU))
    assert_equal(ours, peft_logits(load_in_peft(base, tmp_path / "small"), base), base)
    difference = float((ours - our_logits(model)).abs().max())
    assert (
        difference <= 1e-5 * max(1.0, float(ours.abs().max())) if share == 1.0 else difference > 0
    )
