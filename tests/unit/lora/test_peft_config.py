"""Every option of PEFT's LoraConfig is understood, or harmless, or refused by its name."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from ranklet.errors import AdapterError
from ranklet.lora.adapter_file import PREFIX, read_adapter
from ranklet.lora.peft_config import check_options, check_targets, pattern_values

PATH = Path("adapter_config.json")
QUERY = "bert.encoder.layer.3.attention.self.query"

# What ranklet does with an option that is not refused.
UNDERSTOOD = {
    "alpha_pattern": "read",
    "auto_mapping": "says which class PEFT builds",
    "base_model_name_or_path": "read",
    "bias": "read",
    "corda_config": "of use with that start alone, which is refused",
    "eva_config": "how A started",
    "exclude_modules": "read",
    "fan_in_fan_out": "PEFT takes it back for nn.Linear",
    "inference_mode": "whether PEFT trains it further",
    "init_lora_weights": "read",
    "layers_pattern": "read",
    "layers_to_transform": "read",
    "loftq_config": "of use with that start alone, which is refused",
    "lora_alpha": "read",
    "lora_dropout": "read",
    "lora_ga_config": "of use with that start alone, which is refused",
    "megatron_core": "of use with megatron_config alone, which is refused",
    "modules_to_save": "read",
    "peft_type": "read",
    "peft_version": "read",
    "qalora_group_size": "of use with use_qalora alone, which is refused",
    "r": "read",
    "rank_pattern": "read",
    "revision": "version of the base model on the hub",
    "runtime_config": "where a training keeps weights",
    "target_modules": "read",
    "task_type": "says which class PEFT builds",
    "use_dora": "read",
    "use_rslora": "read",
}
BASIC: Mapping[str, Any] = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none"}


def fields_of_the_installed_peft() -> list[str]:
    try:
        from peft import LoraConfig
    except ImportError:
        return []
    return [field.name for field in dataclasses.fields(LoraConfig)]


@pytest.mark.filterwarnings("ignore")
def test_the_defaults_of_the_installed_peft_are_read() -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["query"], task_type="SEQ_CLS")
    stored = json.loads(json.dumps(config.to_dict(), default=list))
    check_options(stored, PATH)
    assert set(UNDERSTOOD) <= set(fields_of_the_installed_peft())


@pytest.mark.parametrize("value", [True, 3, "x", {"a": 1}, [1]], ids=str)
@pytest.mark.parametrize(
    "option",
    sorted({*fields_of_the_installed_peft(), "an_option_of_tomorrow"} - set(UNDERSTOOD)),
)
def test_any_other_option_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(AdapterError, match=f"option {option}="):
        check_options({**BASIC, option: value}, PATH)
    check_options({**BASIC, option: None}, PATH)


# What versions of PEFT wrote besides the options of every version.
WRITTEN_BY: Mapping[str, Mapping[str, Any]] = {
    "0.10": {"loftq_config": {}, "megatron_config": None, "layer_replication": None},
    "0.13": {"layer_replication": None, "use_dora": True, "alpha_pattern": {}},
    "0.15": {"corda_config": None, "eva_config": None, "trainable_token_indices": None},
    "0.17": {"qalora_group_size": 16, "use_qalora": False, "target_parameters": None},
    "0.21": {"peft_version": "0.21.2", "arrow_config": None, "ensure_weight_tying": False},
}


@pytest.mark.parametrize("version", WRITTEN_BY)
def test_what_versions_write_by_default_is_read(version: str) -> None:
    check_options({**BASIC, "fan_in_fan_out": True, **WRITTEN_BY[version]}, PATH)


@pytest.mark.parametrize(
    "start", ["loftq", "corda", "lora_ga", "pissa_niter_4", "of tomorrow", 3, {"a": 1}]
)
def test_a_start_that_cannot_be_found_again_is_refused(start: Any) -> None:
    with pytest.raises(AdapterError, match="init_lora_weights"):
        check_options({**BASIC, "init_lora_weights": start}, PATH)


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "pissa", "olora", "orthogonal"])
def test_other_starts_are_read(start: Any) -> None:
    check_options({**BASIC, "init_lora_weights": start}, PATH)


@pytest.mark.parametrize(
    ("options", "targeted"),
    [
        ({"target_modules": ["query"]}, True),
        ({"target_modules": ["uery"]}, False),
        ({"target_modules": r".*layer\.[0-3]\..*query"}, True),
        ({"target_modules": r".*layer\.[0-2]\..*query"}, False),
        ({"target_modules": "all-linear"}, True),
        ({"target_modules": None}, True),
        ({"target_modules": ["query"], "exclude_modules": ["self.query"]}, False),
        ({"target_modules": ["query"], "exclude_modules": r".*layer\.3\..*"}, False),
        ({"target_modules": ["query"], "layers_to_transform": [1, 3]}, True),
        ({"target_modules": ["query"], "layers_to_transform": 2}, False),
        (
            {"target_modules": ["query"], "layers_to_transform": [3], "layers_pattern": "layer"},
            True,
        ),
        (
            {"target_modules": ["query"], "layers_to_transform": [3], "layers_pattern": ["h"]},
            False,
        ),
        ({"target_modules": [QUERY], "layers_to_transform": [0]}, True),
    ],
)
def test_adapters_that_peft_would_leave_out_are_refused(
    options: dict[str, Any], targeted: bool
) -> None:
    if targeted:
        check_targets(options, [QUERY], PATH)
        return
    with pytest.raises(AdapterError, match=re.escape(QUERY)):
        check_targets(options, [QUERY], PATH)


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["query"]},
        {"target_modules": ["uery"]},
        {"target_modules": r".*layer\.[0-2]\..*query"},
        {"target_modules": ["query"], "exclude_modules": ["self.query"]},
        {"target_modules": ["query"], "exclude_modules": r".*layer\.3\..*"},
        {"target_modules": ["query"], "layers_to_transform": [1, 3]},
        {"target_modules": ["query"], "layers_to_transform": 2},
        {"target_modules": ["query"], "layers_to_transform": [3], "layers_pattern": ["h"]},
        {"target_modules": [QUERY], "layers_to_transform": [0]},
    ],
)
def test_targets_are_pefts(options: dict[str, Any]) -> None:
    pytest.importorskip("peft")
    from peft import LoraConfig
    from peft.tuners.tuners_utils import check_target_module_exists

    theirs = bool(check_target_module_exists(LoraConfig(**options), QUERY))
    try:
        check_targets(options, [QUERY], PATH)
        ours = True
    except AdapterError:
        ours = False
    assert ours == theirs


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ({"query": 2}, 2),
        ({"self.query": 2, "query": 3}, 2),
        ({"key": 2}, 9),
        ({r"layer\.[0-3]\..*query": 2}, 2),
        ({QUERY: 5}, 5),
    ],
)
def test_patterns_are_read_as_peft_reads_them(pattern: dict[str, float], value: float) -> None:
    assert pattern_values({"rank_pattern": pattern}, "rank_pattern", QUERY, 9) == {value}


@pytest.mark.parametrize(
    ("patterns", "now", "before"),
    [
        ({"alpha_pattern": {"key|query": 2}}, 2, 9),
        ({"alpha_pattern": {"^bert.*query": 2}}, 2, 9),
        # Until 0.15 one key was looked up in both patterns.
        ({"rank_pattern": {"query": 3}, "alpha_pattern": {"self.query": 2}}, 2, 9),
    ],
)
def test_a_pattern_that_versions_read_differently_has_both_values(
    patterns: dict[str, Any], now: float, before: float
) -> None:
    assert pattern_values(patterns, "alpha_pattern", QUERY, 9) == {now, before}
    told = patterns | {"peft_version": "0.21.2"}
    assert pattern_values(told, "alpha_pattern", QUERY, 9) == {now}


def write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Path:
    from safetensors.torch import save_file

    (folder / "adapter_config.json").write_text(json.dumps({**BASIC, **config}))
    named = {PREFIX + name: tensor for name, tensor in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors")
    return folder


PAIR = {f"{QUERY}.lora_A.weight": torch.ones(4, 6), f"{QUERY}.lora_B.weight": torch.ones(6, 4)}
LENGTHS = {f"{QUERY}.lora_magnitude_vector": torch.ones(6)}


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({}, PAIR | LENGTHS, "has a lora_magnitude_vector, but use_dora is False"),
        ({"use_dora": True}, PAIR, "lacks a lora_magnitude_vector, but use_dora is True"),
        ({"use_dora": 3}, PAIR, "use_dora must be true or false"),
        ({"modules_to_save": "x"}, PAIR, "modules_to_save must be a list"),
        ({"target_modules": ["key"]}, PAIR, "is no target here"),
        ({"alpha_pattern": {"key|query": 2}}, PAIR, "8 or 2|2 or 8"),
        ({"rank_pattern": {"query": 3}}, PAIR, "has rank 4 .* but 3"),
        ({"target_modules": "(.*"}, PAIR, "is no pattern"),
        ({}, PAIR | {"bert.pooler.dense.weight": torch.ones(2)}, "neither an adapter"),
        ({}, PAIR | {f"{QUERY}.lora_B.bias": torch.ones(6)}, "neither an adapter"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    config: dict[str, Any], tensors: dict[str, torch.Tensor], message: str, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match=message):
        read_adapter(write(tmp_path, config, tensors), ("classifier",))


def test_whole_modules_are_named(tmp_path: Path) -> None:
    norm = {"bert.embeddings.LayerNorm.weight": torch.ones(6)}
    config = {"modules_to_save": ["classifier", "LayerNorm"], "use_dora": True}
    read = read_adapter(write(tmp_path, config, PAIR | LENGTHS | norm), ("classifier",))
    assert read.modules_to_save == ("bert.embeddings.LayerNorm",)
    assert read.use_dora
    assert len(read.tensors) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"runtime_config": {"ephemeral_gpu_offload": False}},
        {"corda_config": {"corda_method": "ipm"}, "loftq_config": {"loftq_bits": 4}},
        {"lora_ga_config": {"stable_gamma": 16}, "eva_config": {"rho": 2.0}},
        {"arrow_config": {}, "megatron_config": {"tp": None, "more": {"on": False}}},
        {"lora_bias": False, "layer_replication": [], "use_bdlora": ""},
        {"task_type": "SEQ_CLS"},
        {"task_type": None},
    ],
    ids=str,
)
def test_what_is_switched_off_or_of_no_use_is_read(options: dict[str, Any]) -> None:
    check_options({**BASIC, **options}, PATH)


@pytest.mark.parametrize("task", ["TOKEN_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION", 3])
def test_adapters_for_other_tasks_are_refused_with_a_way_through(task: Any) -> None:
    with pytest.raises(AdapterError, match=f'task_type {task!r} .* write "SEQ_CLS" there, else'):
        check_options({**BASIC, "task_type": task}, PATH)


def test_names_of_a_state_dict_are_read_as_those_of_a_file(tmp_path: Path) -> None:
    names = {
        f"{QUERY}.lora_A.default.weight": torch.ones(4, 6),
        f"{QUERY}.lora_B.default.weight": torch.ones(6, 4),
        f"{QUERY}.lora_magnitude_vector.default.weight": torch.ones(6),
        "classifier.original_module.weight": torch.zeros(3, 6),
        "classifier.modules_to_save.default.weight": torch.ones(3, 6),
    }
    expected = {**PAIR, **LENGTHS, "classifier.weight": torch.ones(3, 6)}
    read = read_adapter(write(tmp_path, {"use_dora": True}, names), ("classifier",)).tensors
    assert read.keys() == expected.keys()
    assert all(read[name].equal(expected[name]) for name in expected)
    with pytest.raises(AdapterError, match=r"lora_A\.weight' twice"):
        read_adapter(write(tmp_path, {"use_dora": True}, names | PAIR), ("classifier",))
