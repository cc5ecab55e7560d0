"""Adapters in PEFT's format: adapter_config.json and adapter_model.safetensors, in and out.

Names in memory are PEFT's without its `base_model.model.` prefix, so that files need no name map.
Reading refuses by name whatever it does not support, see `peft_config`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ranklet.errors import AdapterError
from ranklet.files import read_json_object, write_atomically
from ranklet.lora.initial import doubled_alpha, plain_tensors
from ranklet.lora.peft_config import (
    LORA_TENSOR,
    RANKLET_ONLY,
    SUBTRACTED_INITS,
    check_options,
    check_targets,
    pattern_values,
    replaced_modules,
)
from ranklet.lora.placement import Placement
from ranklet.vocabulary import AdapterInit, Bias

CONFIG_FILE = "adapter_config.json"
TENSORS_FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."

LONGEST_NAME = 500

# With bias: all, PEFT writes the biases of the head a second time under the names of its wrapper.
_WRAPPER_COPY = re.compile(r"\.(modules_to_save|original_module)\.(.+\.)?bias$")


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
        use_dora: It carries trained lengths of the adapted rows.
        modules_to_save: Modules of the encoder, by full name, that it replaces as a whole.
        init: What is subtracted from the frozen weights it stands on: `pissa`, `olora`; the other
            starts subtract nothing.
    """

    base_model: str | None
    rank: int
    alpha: float
    placements: tuple[Placement, ...]
    use_rslora: bool
    bias: Bias
    dropout: float
    tensors: Mapping[str, Tensor]
    use_dora: bool = False
    modules_to_save: tuple[str, ...] = ()
    init: AdapterInit = "default"


def write_adapter(
    folder: Path, adapter: AdapterFile, head: Sequence[str], *, in_peft: bool = True
) -> None:
    """Write an adapter so that PEFT loads it, or refuses it.

    Ranks and alphas other than its own go to PEFT's patterns, the head's modules to its
    `modules_to_save`. A head that transformers does not compute is not `in_peft`: PEFT must refuse
    it.

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
        "use_dora": adapter.use_dora,
        "modules_to_save": [*head, *adapter.modules_to_save],
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }
    tensors = {PREFIX + name: tensor.contiguous() for name, tensor in adapter.tensors.items()}
    write_atomically(folder / TENSORS_FILE, save(tensors, {"format": "pt"}))
    write_atomically(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")


def as_plain_lora(root: nn.Module, adapter: AdapterFile) -> AdapterFile:
    """Describe an adapter whose start is subtracted as plain LoRA on the unchanged base."""
    tensors, fixed = plain_tensors(root, adapter.tensors)
    if not fixed:
        return replace(adapter, tensors=tensors, init="default")
    placements = tuple(
        Placement(p.module, 2 * p.rank, doubled_alpha(p.alpha, adapter.use_rslora))
        if f"{p.module}.lora_A.weight" in tensors
        else p
        for p in adapter.placements
    )
    return replace(
        adapter,
        rank=2 * adapter.rank,
        alpha=doubled_alpha(adapter.alpha, adapter.use_rslora),
        placements=placements,
        tensors=tensors,
        init="default",
    )


def read_adapter(folder: Path, head: Sequence[str]) -> AdapterFile:
    """Read an adapter of ranklet or PEFT; `head` are names that modules of a head may have.

    Raises:
        AdapterError: A file is missing or broken, an option is not supported, or a tensor is
            unknown, not finite or of a shape that fits no adapter.
    """
    config = _read_config(folder / CONFIG_FILE)
    tensors = _read_tensors(folder / TENSORS_FILE)
    bias = config.get("bias", "none")
    placements = _placements(config, tensors, folder)
    replaced = replaced_modules(config, tensors, head)
    _check_tensors(tensors, placements, (*head, *replaced), bias, folder / TENSORS_FILE)
    check_targets(config, [placement.module for placement in placements], folder / CONFIG_FILE)
    start = config.get("init_lora_weights")
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
        use_dora=bool(config.get("use_dora")),
        modules_to_save=replaced,
        init=next((init for init in SUBTRACTED_INITS if init == start), "default"),
    )


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        message = f"{path.parent}: no {path.name}; name a ranklet run or a PEFT adapter folder"
        raise AdapterError(message)
    config = read_json_object(path, AdapterError)
    check_options(config, path)
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        stored = _without_adapter_name(load_file(path), path)
    except FileNotFoundError:
        raise AdapterError(f"{path.parent}: no {path.name}; pickled adapters are refused") from None
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{path}: not a complete safetensors file ({error})") from error
    tensors: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if len(name) > LONGEST_NAME:
            raise AdapterError(f"{path}: a tensor's name has {len(name):,} characters")
        if not name.startswith(PREFIX):
            raise AdapterError(f"{path}: tensor {name!r} does not start with {PREFIX!r}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise AdapterError(f"{path}: tensor {name!r} is not all finite numbers")
        if not _WRAPPER_COPY.search(name):
            tensors[name.removeprefix(PREFIX)] = tensor.float()
    return tensors


def _without_adapter_name(stored: Mapping[str, Tensor], path: Path) -> Mapping[str, Tensor]:
    """Name the tensors of a state_dict as PEFT's own files do: without the adapter, `default`."""
    if not any(".default" in name for name in stored):
        return stored
    tensors: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        plain = name.replace(".modules_to_save.default.", ".")
        is_copy = plain != name and plain in stored  # a bias, which PEFT writes twice
        if is_copy or ".original_module." in name:  # or what the adapter replaces
            continue
        plain = re.sub(r"\.(lora_\w+)\.default(?=\.|$)", r".\1", plain)
        plain = plain.replace(".lora_magnitude_vector.weight", ".lora_magnitude_vector")
        if plain in tensors:
            raise AdapterError(f"{path}: holds {plain!r} twice, once with `.default`; keep one")
        tensors[plain] = tensor
    return tensors


def _placements(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path
) -> tuple[Placement, ...]:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = LORA_TENSOR.fullmatch(name)
        if match:
            parts.setdefault(match.group(1), {})[match.group(2)] = tensor
    if not parts:
        raise AdapterError(f"{folder / TENSORS_FILE}: holds no LoRA tensors")
    placements = []
    for module, pair in parts.items():
        _check_lengths(module, pair, bool(config.get("use_dora")), folder)
        rank = _rank(module, pair, folder)
        declared = pattern_values(config, "rank_pattern", module, config["r"])
        if rank not in declared:
            raise AdapterError(
                f"{folder}: {module} has rank {rank} in {TENSORS_FILE} "
                f"but {min(declared)} in {CONFIG_FILE}"
            )
        alpha, *others = pattern_values(config, "alpha_pattern", module, config["lora_alpha"])
        if others:
            raise AdapterError(
                f"{folder / CONFIG_FILE}: alpha_pattern gives {module} {alpha} or {others[0]}, "
                "depending on the version of PEFT; write its full name there"
            )
        placements.append(Placement(module, rank, float(alpha)))
    return tuple(placements)


def _check_lengths(module: str, parts: dict[str, Tensor], use_dora: bool, folder: Path) -> None:
    lengths = parts.pop("lora_magnitude_vector", None)
    if (lengths is not None) != use_dora:
        verb = "has" if lengths is not None else "lacks"
        message = f"{folder}: {module} {verb} a lora_magnitude_vector, but use_dora is {use_dora}"
        raise AdapterError(message)


def _rank(module: str, pair: Mapping[str, Tensor], folder: Path) -> int:
    names = set(pair)
    if names not in ({"lora_A.weight", "lora_B.weight"}, {"lora_embedding_A", "lora_embedding_B"}):
        message = f"{folder / TENSORS_FILE}: {module} has {sorted(names)} without its twin"
        raise AdapterError(message)
    down, up = (pair[name] for name in sorted(names))
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1] or not down.shape[0]:
        raise AdapterError(
            f"{folder / TENSORS_FILE}: {module} has shapes {tuple(down.shape)} and "
            f"{tuple(up.shape)}, which share no rank"
        )
    return int(down.shape[0])


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
        if not (LORA_TENSOR.fullmatch(name) or name.startswith(heads) or is_bias):
            raise AdapterError(
                f"{path}: tensor {name!r} is neither an adapter, nor the head, nor a trained bias"
            )
