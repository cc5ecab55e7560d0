"""From the fields of a config.json to those of EncoderConfig, by family; strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ranklet.errors import WeightsError

Fields = Mapping[str, object]

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")

# Other names that transformers has for the same functions.
_SAME_ACTIVATION = {
    "gelu_python": "gelu",
    "gelu_fast": "gelu_pytorch_tanh",
    "gelu_accurate": "gelu_pytorch_tanh",
    "gelu_python_tanh": "gelu_pytorch_tanh",
}

# What transformers takes where a file leaves out a field that no tensor shows; null says as little.
_ABSENT: Mapping[str, Fields] = {
    "bert": {"layer_norm_eps": 1e-12, "pad_token_id": 0},
    "roberta": {"layer_norm_eps": 1e-12, "pad_token_id": 1},
    "xlm-roberta": {"layer_norm_eps": 1e-12, "pad_token_id": 1},
    "distilbert": {"pad_token_id": 0},
    "electra": {"layer_norm_eps": 1e-12, "pad_token_id": 0},
    "modernbert": {
        "norm_eps": 1e-5,
        "pad_token_id": 50283,
        "local_attention": 128,
        "global_attn_every_n_layers": 3,
        "global_rope_theta": 160_000.0,
        "local_rope_theta": 10_000.0,
    },
}

# Smallest and largest accepted value of a size; `_SIZES` otherwise.
_LIMITS = {
    "num_hidden_layers": (1, 1_000),
    "n_layers": (1, 1_000),
    "local_attention": (2, 10_000_000),
    "pad_token_id": (0, 10_000_000),
}
_SIZES = (1, 10_000_000)


def encoder_fields(fields: Fields, model_type: str, path: Path) -> dict[str, Any]:
    """Return the arguments of EncoderConfig besides `model_type`, which is a native one.

    Raises:
        WeightsError: A field is missing, or has a value that is not supported.
    """
    stated = {name: value for name, value in fields.items() if value is not None}
    fields = {**_ABSENT[model_type], **stated}
    _refuse_other(fields, "position_embedding_type", "absolute", path)
    arguments = _READERS.get(model_type, _bert)(fields, path)
    hidden, heads = arguments["hidden_size"], arguments["num_attention_heads"]
    if hidden % heads:
        message = f"{path}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
        raise WeightsError(message)
    return arguments


def _bert(fields: Fields, path: Path) -> dict[str, Any]:
    sizes = (*_STACK, "max_position_embeddings", "type_vocab_size", "pad_token_id")
    return {
        "hidden_act": _activation(fields, "hidden_act", path),
        "layer_norm_eps": _small_number(fields, "layer_norm_eps", path),
        **{name: _integer(fields, name, path) for name in sizes},
    }


def _electra(fields: Fields, path: Path) -> dict[str, Any]:
    arguments = _bert(fields, path)
    width = _integer(fields, "embedding_size", path)
    return {**arguments, "embedding_size": None if width == arguments["hidden_size"] else width}


def _distilbert(fields: Fields, path: Path) -> dict[str, Any]:
    return {
        "vocab_size": _integer(fields, "vocab_size", path),
        "hidden_size": _integer(fields, "dim", path),
        "num_hidden_layers": _integer(fields, "n_layers", path),
        "num_attention_heads": _integer(fields, "n_heads", path),
        "intermediate_size": _integer(fields, "hidden_dim", path),
        "max_position_embeddings": _integer(fields, "max_position_embeddings", path),
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-12,  # fixed in the architecture
        "pad_token_id": _integer(fields, "pad_token_id", path),
        "hidden_act": _activation(fields, "activation", path),
    }


def _modernbert(fields: Fields, path: Path) -> dict[str, Any]:
    for name in ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias"):
        _refuse_other(fields, name, False, path)
    sizes = (*_STACK, "max_position_embeddings", "local_attention", "pad_token_id")
    arguments = {name: _integer(fields, name, path) for name in sizes}
    if arguments["hidden_size"] // arguments["num_attention_heads"] % 2:
        raise WeightsError(
            f"{path}: hidden_size / num_attention_heads is odd; rotary positions need an even width"
        )
    return {
        **arguments,
        "type_vocab_size": 0,
        "layer_norm_eps": _small_number(fields, "norm_eps", path),
        "hidden_act": _activation(fields, "hidden_activation", path),
        "local_layers": _local_layers(fields, arguments["num_hidden_layers"], path),
        "global_rope_theta": _theta(fields, "full_attention", "global_rope_theta", path),
        "local_rope_theta": _theta(fields, "sliding_attention", "local_rope_theta", path),
        "classifier_pooling": _one_of(fields, "classifier_pooling", ("cls", "mean"), path),
        "classifier_activation": _activation(fields, "classifier_activation", path),
    }


def layers_between_globals(num_layers: int, every: int) -> tuple[int, ...]:
    """Return the local layers where each `every`-th, from layer 0 on, is global."""
    return tuple(index for index in range(num_layers) if index % every)


def _local_layers(fields: Fields, num_layers: int, path: Path) -> tuple[int, ...]:
    """Read `layer_types` (transformers 5) or `global_attn_every_n_layers` (before)."""
    kinds = fields.get("layer_types")
    if kinds is None:
        every = _integer(fields, "global_attn_every_n_layers", path)
        return layers_between_globals(num_layers, every)
    allowed = ("full_attention", "sliding_attention")
    if (
        not isinstance(kinds, list)
        or len(kinds) != num_layers
        or not all(kind in allowed for kind in kinds)
    ):
        raise WeightsError(
            f"{path}: layer_types must list {' or '.join(allowed)} for each of {num_layers} layers"
        )
    return tuple(index for index, kind in enumerate(kinds) if kind == "sliding_attention")


def _theta(fields: Fields, kind: str, older: str, path: Path) -> float:
    """Read `rope_parameters` (transformers 5) or the field that held the base before."""
    if fields.get("rope_scaling"):
        raise WeightsError(f"{path}: rope_scaling {fields['rope_scaling']!r} is not supported")
    name, value = older, fields.get(older)
    rope = fields.get("rope_parameters")
    if rope is not None:
        own = rope.get(kind) if isinstance(rope, dict) else None
        if not isinstance(own, dict) or own.get("rope_type", "default") != "default":
            raise WeightsError(
                f"{path}: rope_parameters: {kind} {own!r} is not supported; "
                "allowed: rope_type default with a rope_theta"
            )
        name, value = f"rope_parameters: {kind}: rope_theta", own.get("rope_theta")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 1 < value < 1e12:
        raise WeightsError(f"{path}: {name} must be a number above 1, found {value!r}")
    return float(value)


_STACK = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
)

_READERS: Mapping[str, Callable[[Fields, Path], dict[str, Any]]] = {
    "distilbert": _distilbert,
    "electra": _electra,
    "modernbert": _modernbert,
}


def _refuse_other(fields: Fields, name: str, allowed: object, path: Path) -> None:
    value = fields.get(name, allowed)
    if value != allowed:
        raise WeightsError(f"{path}: {name} {value!r} is not supported; allowed: {allowed}")


def _activation(fields: Fields, name: str, path: Path) -> str:
    value = fields.get(name)
    same = _SAME_ACTIVATION.get(value, value) if isinstance(value, str) else value
    return _one_of(fields if value is None else {name: same}, name, ACTIVATIONS, path)


def _one_of(fields: Fields, name: str, allowed: Sequence[str], path: Path) -> str:
    """Read a word; without it, transformers takes the first that is allowed."""
    value = fields.get(name, allowed[0])
    if value not in allowed:
        message = f"{path}: {name} {value!r} is not supported; allowed: {', '.join(allowed)}"
        raise WeightsError(message)
    return str(value)


def _integer(fields: Fields, name: str, path: Path) -> int:
    value = fields.get(name)
    smallest, largest = _LIMITS.get(name, _SIZES)
    if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
        message = f"{path}: {name} must be an integer from {smallest} to {largest}, found {value!r}"
        raise WeightsError(message)
    return value


def _small_number(fields: Fields, name: str, path: Path) -> float:
    value = fields.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
        raise WeightsError(f"{path}: {name} must be a number between 0 and 1, found {value!r}")
    return float(value)
