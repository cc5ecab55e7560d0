"""Sizes of an encoder that only `transformers` computes, from the fields of its config.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ranklet.errors import MissingExtraError, WeightsError


@dataclass(frozen=True)
class TransformersSpec:
    """What `transformers` needs to build an encoder.

    Attributes:
        prefix: Name under which its classifiers hold the encoder.
        config_json: The fields of config.json, as JSON.
        first_position: Row of the position table that the first token of a text uses.
    """

    prefix: str
    config_json: str
    first_position: int


def transformers_fields(fields: Mapping[str, Any], native: str, path: Path) -> dict[str, Any]:
    """Return the arguments of EncoderConfig besides `model_type`; messages name `native` types.

    Raises:
        MissingExtraError: transformers is not installed.
        WeightsError: It does not know the type as an encoder, or a field is not usable.
    """
    model_type = fields["model_type"]
    if find_spec("transformers") is None:
        raise MissingExtraError(f"{path}: encoder type {model_type!r}", "hf")
    config = transformers_config(fields, native, path)
    positions = _integer(config, "max_position_embeddings", 8192)
    spec = TransformersSpec(
        prefix=model_class(config).base_model_prefix,
        config_json=json.dumps(dict(fields), sort_keys=True),
        first_position=_first_position(config),
    )
    sizes = {name: _integer(config, name, None, path) for name in ("vocab_size", "hidden_size")}
    return {
        **sizes,
        "num_hidden_layers": _integer(config, "num_hidden_layers", 0),
        "num_attention_heads": _integer(config, "num_attention_heads", 1),
        "intermediate_size": _integer(config, "intermediate_size", 0),
        "max_position_embeddings": positions,
        "type_vocab_size": _integer(config, "type_vocab_size", 0),
        "layer_norm_eps": float(getattr(config, "layer_norm_eps", 0.0)),
        "pad_token_id": _integer(config, "pad_token_id", 0),
        "classifier_activation": str(getattr(config, "pooler_hidden_act", "gelu")),
        "transformers": spec,
    }


def transformers_config(fields: Mapping[str, Any], native: str, path: Path) -> Any:
    """Return the configuration object of transformers, every dropout set to 0.

    Raises:
        WeightsError: transformers refuses the fields, or they do not describe an encoder.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING, AutoConfig

    try:
        with quiet():
            config = AutoConfig.for_model(**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path}: transformers cannot use it ({reason}); choose an encoder of type {native}"
        ) from error
    is_encoder = type(config) in MODEL_FOR_MASKED_LM_MAPPING and type(config) in MODEL_MAPPING
    if not is_encoder or config.is_encoder_decoder:
        raise WeightsError(
            f"{path}: model_type {fields['model_type']!r} is not supported; choose an encoder of "
            f"type {native}, or another one with masked language modelling in transformers"
        )
    for name, value in vars(config).items():
        if "drop" in name and isinstance(value, (int, float)) and not isinstance(value, bool):
            setattr(config, name, 0.0)
    return config


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the progress bars and warnings of transformers from the terminal; we check ourselves."""
    from transformers.utils import logging

    log: Any = logging
    verbosity, had_bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if had_bars:
            log.enable_progress_bar()


def model_class(config: Any) -> Any:
    """Return the class of transformers that computes hidden states."""
    from transformers import MODEL_MAPPING

    classes = MODEL_MAPPING[type(config)]
    return classes[0] if isinstance(classes, tuple) else classes


def _first_position(config: Any) -> int:
    import torch

    with torch.device("meta"):
        network = model_class(config)(config)
    # RoBERTa's descendants say by the table's padding index that positions come after it.
    for name, module in network.named_modules():
        if (
            name.endswith("position_embeddings")
            and getattr(module, "padding_idx", None) is not None
        ):
            return int(module.padding_idx) + 1
    return 0


def _integer(config: Any, name: str, absent: int | None, path: Path | None = None) -> int:
    value = getattr(config, name, None)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if absent is None:
        raise WeightsError(f"{path}: {name} must be a whole number, found {value!r}")
    return absent
