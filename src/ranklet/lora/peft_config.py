"""What the options of adapter_config.json mean, as PEFT 0.10 to 0.21 read them.

An option is understood, or harmless, or off, or refused by name: an option ignored is a model that
answers differently.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ranklet.errors import AdapterError
from ranklet.lora.patterns import compiled, why_no_pattern
from ranklet.lora.placement import ALL_LINEAR
from ranklet.vocabulary import AdapterInit

LORA_TENSOR = re.compile(
    r"(.+)\.(lora_A\.weight|lora_B\.weight|lora_embedding_A|lora_embedding_B"
    r"|lora_magnitude_vector)"
)

# In place of LORA where PEFT would load the head without complaint and answer differently: it ends
# with an error that names this type.
RANKLET_ONLY = "LORA_FOR_RANKLET_ONLY"

# Options that do not change what a loaded adapter computes, or that are read below. Any other is
# refused unless it is off. eva_config says how A started, layers_pattern which names count layers;
# corda_config, loftq_config and lora_ga_config are read with the starts of their names alone, which
# are refused; runtime_config says where a training keeps weights; fan_in_fan_out is PEFT's word for
# weights of another layout than nn.Linear, which it takes back for nn.Linear.
_KNOWN_OPTIONS = (
    "alpha_pattern auto_mapping base_model_name_or_path bias corda_config eva_config "
    "exclude_modules fan_in_fan_out inference_mode init_lora_weights layers_pattern "
    "layers_to_transform loftq_config lora_alpha lora_dropout lora_ga_config megatron_core "
    "modules_to_save peft_type peft_version qalora_group_size r rank_pattern revision "
    "runtime_config target_modules task_type use_dora use_rslora"
)
# Starts that leave the frozen weights alone, and those that can be computed again from them.
_HARMLESS_INITS = (True, False, None, "gaussian", "orthogonal", "eva", "mica")
# PEFT writes a key for each module at most, and the largest encoders have a few hundred.
MOST_KEYS = 2_000
SUBTRACTED_INITS: tuple[AdapterInit, ...] = ("pissa", "olora")


def check_options(config: Mapping[str, Any], path: Path) -> None:
    """Refuse whatever an adapter's options say that ranklet would not compute.

    Raises:
        AdapterError: Names the option.
    """
    if config.get("peft_type") not in ("LORA", RANKLET_ONLY):
        raise AdapterError(f"{path}: peft_type {config.get('peft_type')!r} is not LORA")
    if config.get("task_type") not in ("SEQ_CLS", None):
        raise AdapterError(
            f"{path}: task_type {config['task_type']!r} is not SEQ_CLS, one answer for a text; if "
            'it is one, write "SEQ_CLS" there, else merge the adapter into its encoder with PEFT '
            "and train a classifier on that folder: --set encoder=FOLDER"
        )
    known_options = _KNOWN_OPTIONS.split()
    for option, value in config.items():
        if option not in known_options and not _is_off(value):
            raise AdapterError(f"{path}: option {option}={value!r} is not supported")
    if config.get("bias", "none") not in ("none", "lora_only", "all"):
        raise AdapterError(f"{path}: bias {config['bias']!r}; allowed: none, lora_only, all")
    start = config.get("init_lora_weights")
    if start not in (*_HARMLESS_INITS, *SUBTRACTED_INITS):
        raise AdapterError(
            f"{path}: init_lora_weights {start!r} changes the frozen weights; "
            "convert the adapter to plain LoRA with PEFT first"
        )
    _check_values(config, path)
    for option in ("target_modules", "exclude_modules"):
        _check_names(config.get(option), option, path)
    for option in ("rank_pattern", "alpha_pattern"):
        _check_pattern(config.get(option) or {}, option, path)
    _check_layers(config, path)


def _is_off(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_off, value.values()))
    return value in (None, False, [], "")


def _check_values(config: Mapping[str, Any], path: Path) -> None:
    for option in ("r", "lora_alpha"):
        if not _is_positive(config.get(option)):
            message = f"{path}: {option} must be a number above 0, found {config.get(option)!r}"
            raise AdapterError(message)
    dropout = config.get("lora_dropout")
    if dropout and not (_is_positive(dropout) and dropout <= 1):
        raise AdapterError(f"{path}: lora_dropout must be a number from 0 to 1, found {dropout!r}")
    for option in ("use_rslora", "use_dora"):
        if config.get(option) not in (None, True, False):
            raise AdapterError(f"{path}: {option} must be true or false, found {config[option]!r}")
    saved = config.get("modules_to_save") or []
    if not isinstance(saved, list) or not all(isinstance(name, str) for name in saved):
        raise AdapterError(f"{path}: modules_to_save must be a list of names, found {saved!r}")


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _check_pattern(pattern: object, option: str, path: Path) -> None:
    if not isinstance(pattern, dict):
        raise AdapterError(f"{path}: {option} must be an object, found {_short(pattern)}")
    if len(pattern) > MOST_KEYS:
        raise AdapterError(f"{path}: {option} has {len(pattern):,} keys; at most {MOST_KEYS:,}")
    for key, value in pattern.items():
        if not _is_positive(value):
            raise AdapterError(f"{path}: {option}[{_short(key)}] must be a number above 0")
        _check_regex(key, f"{option} key", path)


def _check_layers(config: Mapping[str, Any], path: Path) -> None:
    indices, named = config.get("layers_to_transform"), config.get("layers_pattern")
    listed = [indices] if isinstance(indices, int) else indices or []
    if not isinstance(listed, list) or not all(type(index) is int for index in listed):
        raise AdapterError(f"{path}: layers_to_transform must be integers, found {_short(indices)}")
    names = [named] if isinstance(named, str) else named or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise AdapterError(f"{path}: layers_pattern must be names, found {_short(named)}")
    for name in names:
        _check_regex(name, "layers_pattern", path)


def _check_names(names: object, option: str, path: Path) -> None:
    if isinstance(names, str):
        _check_regex(names, option, path)
    elif names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise AdapterError(f"{path}: {option} must be names or a pattern, found {_short(names)}")


def _check_regex(pattern: str, option: str, path: Path) -> None:
    problem = why_no_pattern(pattern)
    if problem is not None:
        raise AdapterError(f"{path}: {option} {_short(pattern)} is no pattern ({problem})")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def pattern_values(
    config: Mapping[str, Any], option: str, module: str, default: float
) -> set[float]:
    """Return what a rank or alpha pattern gives a module: one value, or what versions make of it.

    PEFT takes the first key that, as a regular expression, matches the end of the name. Until 0.15
    the first key of both patterns together was looked up in each of them, the key stood without
    brackets behind a dot, so that `a|b` was read otherwise, and a full name counted last
    (huggingface/peft#2419). Files tell which PEFT wrote them since 0.18.
    """
    pattern: Mapping[str, float] = config.get(option) or {}
    now = next((v for k, v in pattern.items() if _matches(rf"(.*\.)?({k})$", module)), default)
    if config.get("peft_version"):
        return {now}
    keys = [*(config.get("rank_pattern") or {}), *(config.get("alpha_pattern") or {})]
    key = next((k for k in keys if _matches(rf".*\.{k}$", module)), module)
    return {now, pattern.get(key, default)}


def _matches(pattern: str, module: str) -> bool:
    return compiled(pattern).match(module) is not None


def replaced_modules(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], head: Sequence[str]
) -> tuple[str, ...]:
    """Return the full names of the encoder's modules that a file replaces as a whole."""
    # PEFT takes a module whose name ends in a word of modules_to_save, and all below it.
    wanted = tuple(config.get("modules_to_save") or ())
    heads = tuple(f"{module}." for module in head)
    modules = []
    for name in tensors:
        module = name.rpartition(".")[0]
        parts = module.split(".")
        owners = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        if LORA_TENSOR.fullmatch(name) or name.startswith(heads):
            continue
        if wanted and any(owner.endswith(wanted) for owner in owners):
            modules.append(module)
    return tuple(dict.fromkeys(modules))


def check_targets(config: Mapping[str, Any], modules: Sequence[str], path: Path) -> None:
    """Refuse adapters that PEFT would leave out, because its configuration does not target them.

    Raises:
        AdapterError: Names the module.
    """
    for module in modules:
        if not _is_target(config, module):
            raise AdapterError(
                f"{path}: {module} has an adapter among the tensors but is no target here, so PEFT "
                "would leave it out; mend target_modules, exclude_modules or layers_to_transform"
            )


def _is_target(config: Mapping[str, Any], module: str) -> bool:
    targets, excluded = config.get("target_modules"), config.get("exclude_modules")
    if excluded and _is_named(excluded, module):
        return False
    if targets is None or (isinstance(targets, str) and targets.lower() == ALL_LINEAR):
        return True
    layers, named = config.get("layers_to_transform"), config.get("layers_pattern")
    indices = [layers] if isinstance(layers, int) else layers
    if not _is_named(targets, module):
        return False
    # Layers count only for targets by ending, as in PEFT.
    if not indices or isinstance(targets, str) or module in targets:
        return True
    lists = [named] if isinstance(named, str) else named or [r"[^.]*"]
    matches = (compiled(rf"(?:^|.*?\.){name}\.(\d+)\.").match(module) for name in lists)
    layer = next((match[1] for match in matches if match), None)
    return layer is not None and int(layer) in indices


def _is_named(names: str | Sequence[str], module: str) -> bool:
    if isinstance(names, str):
        return compiled(names).fullmatch(module) is not None
    return module in names or any(module.endswith(f".{name}") for name in names)
