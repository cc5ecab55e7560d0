"""Classifiers of transformers, whole, and adapters as they lie around: logits of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_peft import assert_equal, our_logits, peft_logits, write_word_tokenizer
from tiny_models import FAMILIES, save, transformers_classifier

import ranklet
from ranklet.errors import AdapterError, RankletError
from ranklet.saved.model import load_model, read_saved

pytestmark = pytest.mark.filterwarnings("ignore")

CPU = torch.device("cpu")
NAMES = {0: "World", 1: "no: sport", 2: "2"}
TEXTS = ("w3 w4 w5", "w7", "w9 w9 w20 w21 w100", " ".join(f"w{n}" for n in range(2, 60)))


def written(family: str, folder: Path, labels: int = 3, **changes: Any) -> tuple[Any, Path]:
    names = {index: NAMES[index] for index in range(labels)}
    numbers = {name: index for index, name in names.items()}
    model = transformers_classifier(family, labels, id2label=names, label2id=numbers, **changes)
    write_word_tokenizer(save(model, folder), model.config.vocab_size, model.config.pad_token_id)
    return model, folder


def ours(folder: Path, **options: Any) -> Any:
    return load_model(folder, dtype=torch.float32, device=CPU, **options)


@pytest.mark.parametrize("family", [*FAMILIES, "mpnet", "deberta-v2"])
def test_a_whole_classifier_gives_transformers_logits_and_names(
    family: str, tmp_path: Path
) -> None:
    theirs, folder = written(family, tmp_path)
    model = ours(folder)
    assert_equal(our_logits(model, TEXTS), peft_logits(theirs, folder, TEXTS), folder)
    assert model.labels.names == tuple(NAMES.values())


def _swap_rows(name: str, tensor: torch.Tensor) -> torch.Tensor:
    return tensor.flip(0) if name.endswith(("classifier.bias", "out_proj.bias")) else tensor


def _other_pooler(name: str, tensor: torch.Tensor) -> torch.Tensor:
    inner = ("pooler.dense.weight", "classifier.dense.weight", "pre_classifier.weight")
    return tensor.flip(0) if name.endswith((*inner, "head.dense.weight")) else tensor


@pytest.mark.parametrize("sabotage", [_swap_rows, _other_pooler])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_sabotaged_classifier_is_noticed(family: str, sabotage: Any, tmp_path: Path) -> None:
    theirs, folder = written(family, tmp_path)
    path = folder / "model.safetensors"
    changed = {name: sabotage(name, t).contiguous() for name, t in load_file(path).items()}
    save_file(changed, path)
    difference = our_logits(ours(folder), TEXTS) - peft_logits(theirs, folder, TEXTS)
    assert difference.abs().max() > 1e-3


def test_several_labels_a_text_are_told_by_the_config(tmp_path: Path) -> None:
    theirs, folder = written("bert", tmp_path, problem_type="multi_label_classification")
    model = ours(folder)
    probabilities = torch.from_numpy(model.predict_proba(TEXTS))
    logits = model.predict_logits(model.corpus(TEXTS))
    assert (probabilities - logits.sigmoid()).abs().max() < 1e-6
    single = ours(folder, problem_type="single_label_classification")
    assert_equal(our_logits(single, TEXTS), peft_logits(theirs, folder, TEXTS), folder)


def test_a_head_of_one_output_becomes_two_labels(tmp_path: Path) -> None:
    theirs, folder = written("roberta", tmp_path, labels=1)
    with pytest.raises(AdapterError, match=r"one output, .* --label-names no,yes"):
        read_saved(folder)
    model = ours(folder, label_names=["no", "yes"])
    tokenizer = model.preprocessing.tokenizer
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            expected = theirs(input_ids=ids).logits.sigmoid().item()
        assert model.predict_proba([text])[0] == pytest.approx([1 - expected, expected], abs=1e-5)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "options", "problem"),
    [
        ({"problem_type": "regression"}, {}, "problem_type 'regression' is no classification"),
        ({"id2label": {"0": "a", "7": "b"}}, {}, "id2label must name 0, 1, .* --label-names"),
        ({"id2label": {"0": "a", "1": "b"}}, {}, "2 labels given, but the head has 3"),
        ({}, {"encoder": "minilm"}, "a whole classifier, .* leave out --encoder"),
    ],
)
def test_what_a_config_says_wrongly_is_refused(
    changes: dict[str, Any], options: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    _, folder = written("bert", tmp_path)
    edit(folder / "config.json", **changes)
    with pytest.raises(RankletError, match=problem):
        read_saved(folder, **options)


def test_an_unknown_kind_of_classifier_is_refused_with_a_way_through(tmp_path: Path) -> None:
    _, folder = written("albert", tmp_path)
    with pytest.raises(AdapterError, match=r"of type albert .* distillation\.teacher="):
        read_saved(folder)


def test_a_whole_classifier_is_a_text_classifier(tmp_path: Path) -> None:
    import pickle

    _, folder = written("distilbert", tmp_path / "model")
    classifier = ranklet.load(folder, device="cpu", precision="float32")
    expected = classifier.predict_proba(TEXTS)
    assert np.allclose(classifier.merged().predict_proba(TEXTS), expected, atol=1e-5)
    assert np.allclose(pickle.loads(pickle.dumps(classifier)).predict_proba(TEXTS), expected)
    with pytest.raises(AdapterError, match="has no adapter to save; copy its folder"):
        classifier.save(tmp_path / "copy")
    with pytest.raises(AdapterError, match="has no adapter to shrink"):
        ranklet.shrink(folder, 1_000, tmp_path / "small")


@pytest.fixture
def adapter(tmp_path: Path) -> tuple[Any, Path, Path]:
    """A random adapter of peft: the model, the folder of its base and its own."""
    peft = pytest.importorskip("peft")
    base, folder = written("roberta", tmp_path / "base")
    config = peft.LoraConfig(r=4, target_modules=["query"], task_type="SEQ_CLS")
    model = peft.get_peft_model(base, config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.eval().save_pretrained(tmp_path / "adapter")
    return model, folder, tmp_path / "adapter"


def test_an_adapter_saved_by_state_dict_gives_pefts_logits(adapter: Any) -> None:
    model, base, folder = adapter
    kept = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if "lora_" in name or "classifier" in name
    }
    save_file(kept, folder / "adapter_model.safetensors")
    ours_of_it = ours(folder, encoder=str(base))
    assert_equal(our_logits(ours_of_it, TEXTS), peft_logits(model, base, TEXTS), base)
    assert ours_of_it.labels.names == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_a_bare_adapter_takes_the_problem_type_of_its_base(adapter: Any) -> None:
    _, base, folder = adapter
    edit(base / "config.json", problem_type="multi_label_classification")
    problem = "multi_label_classification"
    assert ours(folder, encoder=str(base)).problem.problem_type == problem
    edit(base / "config.json", problem_type=None)
    asked = ours(folder, encoder=str(base), problem_type=problem)
    assert asked.problem.problem_type == problem
    assert ours(folder, encoder=str(base)).problem.problem_type == "single_label_classification"


@pytest.mark.parametrize("name", [None, "/content/drive/MyDrive/roberta", "C:/models/base"])
def test_an_encoder_that_is_not_here_is_asked_for(adapter: Any, name: str | None) -> None:
    folder = adapter[2]
    edit(folder / "adapter_config.json", base_model_name_or_path=name)
    with pytest.raises(RankletError, match="--encoder FOLDER"):
        read_saved(folder)


def test_an_adapter_without_a_head_is_told_so(adapter: Any) -> None:
    _, base, folder = adapter
    path = folder / "adapter_model.safetensors"
    save_file({n: t for n, t in load_file(path).items() if "classifier" not in n}, path)
    with pytest.raises(AdapterError, match=r"adapters alone and no head, .* modules_to_save="):
        read_saved(folder, encoder=str(base))
