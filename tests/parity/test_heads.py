"""Every head in every family: its files answer alike in peft + transformers, or are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sealed import seal
from test_peft import LABELS, load_in_peft, our_logits, peft_logits, trained_like
from test_peft import write_word_tokenizer as write_tokenizer
from tiny_models import save, transformers_classifier
from torch import Tensor

from ranklet.budget.plan import count_trainable
from ranklet.classifier import ClassifierNetwork, adaptable_shapes, trainable_state
from ranklet.encoder.config import read_config
from ranklet.encoder.source import EncoderSource
from ranklet.errors import AdapterError, RecipeError, RunError
from ranklet.lora.adapter_file import CONFIG_FILE, TENSORS_FILE, AdapterFile
from ranklet.lora.placement import place_adapters, resolve_placement, train_biases
from ranklet.saved.assembly import ClassifierSettings, FreshHead, assemble
from ranklet.saved.head import HEAD_FILE, head_tensors, loads_in_transformers, read_tensors
from ranklet.saved.model import load_model, save_model
from ranklet.vocabulary import HeadKind, Pooling

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        __import__("importlib.util", fromlist=["find_spec"]).find_spec("peft") is None,
        reason="the hf extra is not installed",
    ),
]

CPU = torch.device("cpu")
HEADS: tuple[HeadKind, ...] = ("dense", "frozen_dense", "low_rank", "linear")
FAMILIES = (
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "deberta-v2",
    "albert",
)
# What a family lacks: BERT's and ModernBERT's inner matrix is pretrained; no head of ALBERT is
# known; a norm follows ModernBERT's inner matrix, so no linear head fits in there.
REFUSED = {
    **{("bert", head): "no inner matrix to freeze" for head in ("frozen_dense", "low_rank")},
    **{("modernbert", head): "no inner matrix to freeze" for head in ("frozen_dense", "low_rank")},
    **{("albert", head): "not known for encoder type albert; use head: linear"
       for head in ("dense", "frozen_dense", "low_rank")},
}  # fmt: skip
ONLY_HERE = {("modernbert", "linear"), ("albert", "linear")}
CASES = [(family, head) for family in FAMILIES for head in HEADS]
STANDARD = [case for case in CASES if case not in REFUSED and case not in ONLY_HERE]
TARGETS = {
    "distilbert": ("q_lin", "ffn.lin2"),
    "modernbert": ("attn.Wqkv", "mlp.Wo"),
    "mpnet": ("attention.attn.q", "intermediate.dense"),
    "deberta-v2": ("query_proj", "output.dense"),
    "albert": ("query", "ffn"),
}
RANK = 5


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A random classifier of transformers with its tokenizer, as a folder, made once a family."""
    made: dict[str, Path] = {}

    def base(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            model = transformers_classifier(family, len(LABELS))
            save(model, made[family])
            write_tokenizer(made[family], model.config.vocab_size, model.config.pad_token_id)
        return made[family]

    return base


def saved(
    base: Path,
    head: HeadKind,
    folder: Path,
    *,
    pooling: Pooling = "cls",
    init: Any = "identity",
    bias: Any = "none",
) -> ClassifierNetwork:
    """A classifier with values that matter in every trained tensor, and its files in `folder`."""
    settings = ClassifierSettings(str(base), head, pooling, 64, (), head_rank=RANK)
    model = assemble(
        settings,
        EncoderSource(str(base)),
        LABELS,
        None,
        dtype=torch.float32,
        device=CPU,
        fresh_head=FreshHead(3, dense_init=init),
    )
    targets = TARGETS.get(read_config(base).model_type, ("query", "output.dense"))
    placements = resolve_placement(adaptable_shapes(model), targets, 4, 6.0)
    place_adapters(model, placements, 0.0, False, seed=1)
    train_biases(model, bias, placements)
    trained_like(model)
    save_model(
        folder,
        model.eval(),
        settings,
        AdapterFile(None, 4, 6.0, placements, False, bias, 0.0, {}),
        "",
    )
    return model


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1.0))


def change(path: Path, name: str, edit: Callable[[Tensor], Tensor]) -> None:
    tensors = load_file(path)
    assert name in tensors, sorted(tensors)
    tensors[name] = edit(tensors[name]).contiguous()
    save_file(tensors, path, {"format": "pt"})
    seal(path.parent)


@pytest.mark.parametrize(("family", "head"), STANDARD)
@pytest.mark.parametrize("init", ["identity", "random"])
def test_peft_computes_the_same_and_we_load_the_same(
    family: str, head: HeadKind, init: str, bases: Any, tmp_path: Path
) -> None:
    base, folder = bases(family), tmp_path / "adapter"
    model = saved(base, head, folder, init=init)
    ours = our_logits(model)
    assert distance(ours, peft_logits(load_in_peft(base, folder), base)) <= 1e-5
    again = load_model(folder, dtype=torch.float32, device=CPU)
    assert our_logits(again).equal(ours)
    before, after = trainable_state(model), trainable_state(again)
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    # Frozen tensors too, so that training goes on from the same model.
    frozen = head_tensors(model, model.head_modules)
    assert all(t.equal(frozen[n]) for n, t in head_tensors(again, again.head_modules).items())
    assert loads_in_transformers(head, model.pooling, read_config(base), len(LABELS))


@pytest.mark.parametrize(("family", "head"), STANDARD)
def test_a_sabotaged_standard_head_is_noticed_by_peft_and_by_us(
    family: str, head: HeadKind, bases: Any, tmp_path: Path
) -> None:
    base, folder = bases(family), tmp_path / "adapter"
    ours = our_logits(saved(base, head, folder))
    tensors = load_file(folder / TENSORS_FILE)
    # One of the head's matrices in turn: the last map, and the inner one where the file has it.
    names = [
        name
        for name in tensors
        if "lora" not in name and name.endswith(".weight")
        and any(part in name for part in ("classifier", "pooler"))
    ]  # fmt: skip
    assert len(names) == (
        1 if (family, head) in (("bert", "dense"), ("modernbert", "dense")) else 2
    )
    for name in names:
        change(folder / TENSORS_FILE, name, torch.flipud)
        theirs = peft_logits(load_in_peft(base, folder), base)
        assert distance(ours, theirs) > 1e-3, name
        with pytest.raises(RunError, match="answers differently"):
            load_model(folder, dtype=torch.float32, device=CPU)
        change(folder / TENSORS_FILE, name, torch.flipud)
    assert distance(ours, peft_logits(load_in_peft(base, folder), base)) <= 1e-5


@pytest.mark.parametrize(("family", "head"), REFUSED)
def test_what_a_family_lacks_is_refused_by_name(
    family: str, head: HeadKind, bases: Any, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=REFUSED[family, head]) as caught:
        saved(bases(family), head, tmp_path / "adapter")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("head: ")


@pytest.mark.parametrize(
    ("family", "pooling"),
    [("modernbert", "cls"), ("modernbert", "mean"), ("albert", "cls")]
    + [(family, "mean") for family in FAMILIES if family != "modernbert"],
)
def test_peft_refuses_what_transformers_cannot_compute(
    family: str, pooling: Pooling, bases: Any, tmp_path: Path
) -> None:
    base, folder = bases(family), tmp_path / "adapter"
    ours = our_logits(saved(base, "linear", folder, pooling=pooling))
    assert not loads_in_transformers("linear", pooling, read_config(base), len(LABELS))
    assert not (folder / HEAD_FILE).exists()
    if family != "albert":
        with pytest.raises(KeyError, match="LORA_FOR_RANKLET_ONLY"):
            load_in_peft(base, folder)
    assert our_logits(load_model(folder, dtype=torch.float32, device=CPU)).equal(ours)


def test_the_refusal_is_needed(bases: Any, tmp_path: Path) -> None:
    """The twin: as plain LoRA, PEFT loads the same file without complaint and answers otherwise."""
    base, folder = bases("bert"), tmp_path / "adapter"
    ours = our_logits(saved(base, "linear", folder, pooling="mean"))
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"peft_type": "LORA"}))
    assert distance(ours, peft_logits(load_in_peft(base, folder), base)) > 1e-2


@pytest.mark.parametrize("head", ["frozen_dense", "low_rank", "linear"])
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_trained_biases_of_the_encoder_leave_a_frozen_head_alone(
    family: str, head: HeadKind, bases: Any, tmp_path: Path
) -> None:
    if (family, head) in REFUSED:
        return
    base, folder = bases(family), tmp_path / "adapter"
    model = saved(base, head, folder, bias="all")
    trained = set(trainable_state(model))
    assert not {"classifier.dense.bias", "pre_classifier.bias", "bert.pooler.dense.bias"} & trained
    theirs = peft_logits(load_in_peft(base, folder), base)
    assert distance(our_logits(model), theirs) <= 1e-5


@pytest.mark.parametrize(("family", "head"), [case for case in CASES if case not in REFUSED])
def test_saved_tensors_are_sorted_by_what_they_are(
    family: str, head: HeadKind, bases: Any, tmp_path: Path
) -> None:
    model = saved(bases(family), head, tmp_path / "adapter")
    tensors = read_tensors(tmp_path / "adapter", head)
    assert sum(t.numel() for t in tensors.trained.values()) == count_trainable(model)
    size = model.encoder.config.hidden_size
    inner = size * size + size
    frozen = inner if head in ("frozen_dense", "low_rank") else 0
    assert sum(t.numel() for t in tensors.frozen.values()) == frozen
    folded = head == "low_rank" or (head == "linear" and (family, head) not in ONLY_HERE)
    last = len(LABELS) * size + len(LABELS)
    assert sum(t.numel() for t in tensors.folded.values()) == (inner + last if folded else 0)
    assert (tmp_path / "adapter" / HEAD_FILE).exists() == folded


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folded_linear_head_survives_large_logits(
    dtype: torch.dtype, bases: Any, tmp_path: Path
) -> None:
    """In transformers' number format: tanh is the identity only near 0."""
    from ranklet.head import standard_head
    from ranklet.saved.head import standard_tensors

    generator = torch.Generator().manual_seed(0)
    for family in ("bert", "roberta", "distilbert", "electra"):
        config = read_config(bases(family))
        own = {
            "classifier.weight": 2.0 * torch.randn(3, config.hidden_size, generator=generator),
            "classifier.bias": torch.randn(3, generator=generator),
        }
        folded = standard_tensors("linear", "cls", config, own)
        standard = standard_head(config)
        assert folded is not None
        assert standard is not None
        states = torch.randn(50, config.hidden_size, generator=generator)
        expected = states @ own["classifier.weight"].T + own["classifier.bias"]
        held = {name: tensor.to(dtype) for name, tensor in folded.items()}
        activation: Any = {"tanh": torch.tanh, "relu": torch.relu,
                           "gelu": torch.nn.functional.gelu}[standard.activation]  # fmt: skip
        inner, last = standard.inner, standard.last
        middle = torch.nn.functional.linear(
            states.to(dtype), held[f"{inner}.weight"], held[f"{inner}.bias"]
        )
        logits = torch.nn.functional.linear(
            activation(middle), held[f"{last}.weight"], held[f"{last}.bias"]
        )
        tolerance = 1e-6 if dtype == torch.float32 else 2e-2
        assert (logits.float() - expected).abs().max() <= tolerance * expected.abs().max()


def _drop_a_factor(path: Path) -> None:
    tensors = load_file(path)
    save_file({n: t for n, t in tensors.items() if not n.endswith("up.weight")}, path)
    seal(path.parent)


def _add_a_stranger(path: Path) -> None:
    save_file({**load_file(path), "stranger.weight": torch.zeros(1)}, path)


def _spoil(path: Path) -> None:
    change(path, "classifier.dense.up.weight", lambda tensor: tensor * float("nan"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


BROKEN: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "factor": (_drop_a_factor, "do not pair up"),
    "stranger": (_add_a_stranger, "'stranger.weight' belongs to no head"),
    "nan": (_spoil, "is not all finite"),
    "cut": (_cut, "not a complete safetensors file"),
    "gone": (Path.unlink, "is missing, and was there when it was saved"),
}


@pytest.mark.parametrize(("sabotage", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_head_file_is_refused(
    sabotage: Callable[[Path], None], message: str, bases: Any, tmp_path: Path
) -> None:
    saved(bases("roberta"), "low_rank", tmp_path / "adapter")
    sabotage(tmp_path / "adapter" / HEAD_FILE)
    with pytest.raises(AdapterError, match=message) as caught:
        load_model(tmp_path / "adapter", dtype=torch.float32, device=CPU)
    assert "\n" not in str(caught.value)


def test_a_changed_factor_is_noticed(bases: Any, tmp_path: Path) -> None:
    saved(bases("roberta"), "low_rank", tmp_path / "adapter")
    change(tmp_path / "adapter" / HEAD_FILE, "classifier.dense.up.weight", torch.flipud)
    with pytest.raises(RunError, match="answers differently"):
        load_model(tmp_path / "adapter", dtype=torch.float32, device=CPU)
