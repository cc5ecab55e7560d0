"""Adapters in PEFT's format: adapter_config.json and adapter_model.safetensors, in and out.

Names in memory are PEFT's without its `base_model.model.` prefix, so that files need no name map.
Reading refuses by name whatever it does not support, since an option ignored is a model that
answers differently.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ranklet.errors import AdapterError
from ranklet.files import read_json_object, write_atomically
from ranklet.lora.placement import Bias, Placement

CONFIG_FILE = "adapter_config.json"
TENSORS_FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."
# In place of LORA where PEFT would load the head without complaint and answer differently: it ends
# with an error that names this type.
RANKLET_ONLY = "LORA_FOR_RANKLET_ONLY"

_LORA_TENSOR = re.compile(
    r"(.+)\.(lora_A\.weight|lora_B\.weight|lora_embedding_A|lora_embedding_B)"
)

# With bias: all, PEFT writes the biases of the head a second time under the names of its wrapper.
_WRAPPER_COPY = re.compile(r"\.(modules_to_save|original_module)\.(.+\.)?bias$")

# Options that do not change what a loaded adapter computes, or that are read below.
_KNOWN_OPTIONS = frozenset(
    (
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "bias",
        "exclude_modules",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "lora_dropout",
        "megatron_core",
        "modules_to_save",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "target_modules",
        "task_type",
        "use_rslora",
    )
)
# Initialisations that rewrite the frozen weights: the adapter does not fit the base model alone.
_REWRITING_INITS = ("pissa", "olora", "loftq", "corda", "lora_ga")


@dataclass(frozen=True)
class AdapterFile:
    """A PEFT LoRA adapter.

    Attributes:
        base_model: Name of the encoder it belongs to, or None.
        rank: Rank that most adapters have.
        alpha: Alpha that most adapters have.
        placements: Adapted modules with rank and alpha.
        use_rslora: Scaled by alpha / sqrt(rank).
        bias: Which biases it carries.
        dropout: LoRA dropout it was trained with.
        tensors: Every trained tensor by its name in the model, head included, float32.
    """

    base_model: str | None
    rank: int
    alpha: float
    placements: tuple[Placement, ...]
    use_rslora: bool
    bias: Bias
    dropout: float
    tensors: Mapping[str, Tensor]


def write_adapter(
    folder: Path, adapter: AdapterFile, head: Sequence[str], *, in_peft: bool = True
) -> None:
    """Write an adapter so that PEFT loads it, or refuses it.

    Args:
        folder: Existing folder.
        adapter: What to write; ranks and alphas other than its own go to PEFT's patterns.
        head: Names of the head's modules, PEFT's `modules_to_save`.
        in_peft: The head is one that transformers computes; else PEFT is made to refuse it.

    Raises:
        RunError: The files cannot be written.
    """
    config = {
        "peft_type": "LORA" if in_peft else RANKLET_ONLY,
        "task_type": "SEQ_CLS",
        "base_model_name_or_path": adapter.base_model,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": [placement.module for placement in adapter.placements],
        "rank_pattern": {p.module: p.rank for p in adapter.placements if p.rank != adapter.rank},
        "alpha_pattern": {
            p.module: p.alpha for p in adapter.placements if p.alpha != adapter.alpha
        },
        "bias": adapter.bias,
        "use_rslora": adapter.use_rslora,
        "modules_to_save": list(head),
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }
    tensors = {PREFIX + name: tensor.contiguous() for name, tensor in adapter.tensors.items()}
    write_atomically(folder / TENSORS_FILE, save(tensors, {"format": "pt"}))
    write_atomically(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")


def read_adapter(folder: Path, head: Sequence[str]) -> AdapterFile:
    """Read an adapter written by ranklet or PEFT.

    Args:
        folder: Folder with both files.
        head: Names that modules of a head may have.

    Raises:
        AdapterError: A file is missing or broken, an option is not supported, or a tensor is
            unknown, not finite or of a shape that fits no adapter.
    """
    config = _read_config(folder / CONFIG_FILE)
    tensors = _read_tensors(folder / TENSORS_FILE)
    bias = config.get("bias", "none")
    placements = _placements(config, tensors, folder)
    _check_tensors(tensors, placements, head, bias, folder / TENSORS_FILE)
    base = config.get("base_model_name_or_path")
    return AdapterFile(
        base_model=base if isinstance(base, str) and base else None,
        rank=int(config["r"]),
        alpha=float(config["lora_alpha"]),
        placements=placements,
        use_rslora=bool(config.get("use_rslora", False)),
        bias=bias,
        dropout=float(config.get("lora_dropout") or 0.0),
        tensors=tensors,
    )


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise AdapterError(
            f"{path.parent}: no {path.name}; name a ranklet run or a PEFT adapter folder"
        )
    config = read_json_object(path, AdapterError)
    _check_options(config, path)
    return config


def _check_options(config: Mapping[str, Any], path: Path) -> None:
    if config.get("peft_type") not in ("LORA", RANKLET_ONLY):
        raise AdapterError(f"{path}: peft_type {config.get('peft_type')!r} is not LORA")
    for option, value in config.items():
        if option not in _KNOWN_OPTIONS and value not in (None, False, {}, []):
            raise AdapterError(f"{path}: option {option}={value!r} is not supported")
    if config.get("bias", "none") not in ("none", "lora_only", "all"):
        raise AdapterError(f"{path}: bias {config['bias']!r}; allowed: none, lora_only, all")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_REWRITING_INITS):
        raise AdapterError(
            f"{path}: init_lora_weights {start!r} changes the frozen weights; "
            "convert the adapter to plain LoRA with PEFT first"
        )
    _check_values(config, path)
    for option in ("rank_pattern", "alpha_pattern"):
        _check_pattern(config.get(option) or {}, option, path)


def _check_values(config: Mapping[str, Any], path: Path) -> None:
    for option in ("r", "lora_alpha"):
        if not _is_positive(config.get(option)):
            found = f"found {config.get(option)!r}"
            raise AdapterError(f"{path}: {option} must be a number above 0, {found}")
    dropout = config.get("lora_dropout")
    if dropout and not (_is_positive(dropout) and dropout <= 1):
        raise AdapterError(f"{path}: lora_dropout must be a number from 0 to 1, found {dropout!r}")
    if config.get("use_rslora") not in (None, True, False):
        raise AdapterError(
            f"{path}: use_rslora must be true or false, found {config['use_rslora']!r}"
        )


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _check_pattern(pattern: object, option: str, path: Path) -> None:
    if not isinstance(pattern, dict):
        raise AdapterError(f"{path}: {option} must be an object, found {pattern!r}")
    for key, value in pattern.items():
        if not _is_positive(value):
            raise AdapterError(f"{path}: {option}[{key!r}] must be a number above 0")
        try:
            re.compile(key)
        except re.error as error:
            raise AdapterError(f"{path}: {option} key {key!r} is no pattern ({error})") from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        stored = load_file(path)
    except FileNotFoundError:
        raise AdapterError(f"{path.parent}: no {path.name}; pickled adapters are refused") from None
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{path}: not a complete safetensors file ({error})") from error
    tensors: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if not name.startswith(PREFIX):
            raise AdapterError(f"{path}: tensor {name!r} does not start with {PREFIX!r}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise AdapterError(f"{path}: tensor {name!r} is not all finite numbers")
        if not _WRAPPER_COPY.search(name):
            tensors[name.removeprefix(PREFIX)] = tensor.float()
    return tensors


def _placements(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path
) -> tuple[Placement, ...]:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        found = _LORA_TENSOR.fullmatch(name)
        if found:
            parts.setdefault(found.group(1), {})[found.group(2)] = tensor
    if not parts:
        raise AdapterError(f"{folder / TENSORS_FILE}: holds no LoRA tensors")
    placements = []
    for module, pair in parts.items():
        rank = _rank(module, pair, folder)
        declared = _by_pattern(config.get("rank_pattern"), module, config["r"])
        if rank != declared:
            raise AdapterError(
                f"{folder}: {module} has rank {rank} in {TENSORS_FILE} "
                f"but {declared} in {CONFIG_FILE}"
            )
        alpha = _by_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
        placements.append(Placement(module, rank, float(alpha)))
    return tuple(placements)


def _rank(module: str, pair: Mapping[str, Tensor], folder: Path) -> int:
    names = set(pair)
    if names not in ({"lora_A.weight", "lora_B.weight"}, {"lora_embedding_A", "lora_embedding_B"}):
        raise AdapterError(
            f"{folder / TENSORS_FILE}: {module} has {sorted(names)} without its twin"
        )
    down, up = (pair[name] for name in sorted(names))
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1] or not down.shape[0]:
        raise AdapterError(
            f"{folder / TENSORS_FILE}: {module} has shapes {tuple(down.shape)} and "
            f"{tuple(up.shape)}, which share no rank"
        )
    return int(down.shape[0])


def _by_pattern(pattern: Mapping[str, float] | None, module: str, default: float) -> float:
    # PEFT's rule: the first key that, as a regular expression, matches the end of the name.
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default


def _check_tensors(
    tensors: Mapping[str, Tensor],
    placements: Sequence[Placement],
    head: Sequence[str],
    bias: Bias,
    path: Path,
) -> None:
    adapted = {placement.module for placement in placements}
    heads = tuple(f"{module}." for module in head)
    for name in tensors:
        module = name.removesuffix(".bias").removesuffix(".base_layer")
        is_bias = name.endswith(".bias") and (
            bias == "all" or (bias == "lora_only" and module in adapted)
        )
        if not (_LORA_TENSOR.fullmatch(name) or name.startswith(heads) or is_bias):
            raise AdapterError(
                f"{path}: tensor {name!r} is neither an adapter, nor the head, nor a trained bias"
            )
