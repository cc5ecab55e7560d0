"""Weights of a Hugging Face folder into an Encoder: every tensor used or knowingly left."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ranklet.encoder.config import Architecture, EncoderConfig
from ranklet.encoder.families import AnyEncoder, build_encoder
from ranklet.encoder.fused.layer import input_sizes
from ranklet.encoder.int8.linear import multiply_in_int8
from ranklet.encoder.layers import NativeEncoder
from ranklet.encoder.quantization import quantize_frozen
from ranklet.encoder.transformers_encoder import load_transformers_encoder
from ranklet.encoder.weight_files import unwrapped_names, weight_files
from ranklet.errors import WeightsError
from ranklet.vocabulary import AttentionBackend, Products, Quantization

# Pretraining heads, task heads and constant buffers: not part of the encoder.
LEFT = re.compile(
    r"(lm_head|cls|classifier|pre_classifier|score|qa_outputs|vocab_\w+|discriminator_predictions"
    r"|generator_predictions|generator_lm_head|decoder)\."
    r"|embeddings\.(position_ids|token_type_ids)$"
)


def load_encoder(
    folder: Path,
    config: EncoderConfig,
    dtype: torch.dtype,
    with_pooler: bool = False,
    attention: AttentionBackend = "sdpa",
    quantization: Quantization = "none",
    products: Products = "float",
) -> AnyEncoder:
    """Build an encoder and fill it from `model.safetensors`.

    The frozen weights are converted to the compute dtype once, here; those of the pooler, which is
    the head's, stay in it. `products` are those of the layers' weights. For the rest see
    `build_encoder`.

    Returns:
        The encoder on the CPU, frozen, in evaluation mode.

    Raises:
        WeightsError: A file is missing or broken, a parameter is not filled, a tensor is unknown
            or has another shape or is not finite.
    """
    paths = weight_files(folder)
    if config.transformers is not None:
        if products == "int8":
            raise WeightsError(
                f"{folder}: products in int8 need an encoder of a family that ranklet computes "
                "itself; set engine.products=float"
            )
        network = load_transformers_encoder(folder, config, dtype, attention)
        quantize_frozen(network, quantization)
        return network
    with torch.device("meta"):
        encoder = build_encoder(config, with_pooler, attention)
    tensors: dict[str, Tensor] = {}
    for path in paths:
        tensors.update(_read_tensors(path, config.architecture, with_pooler))
    _check_names(encoder, tensors, config.architecture, folder)
    _check_shapes(encoder, tensors, folder)
    encoder.load_state_dict({name: t.to(dtype) for name, t in tensors.items()}, assign=True)
    assert isinstance(encoder, NativeEncoder)
    quantize_frozen(encoder, quantization, exclude=("pooler",))
    encoder.join_projections()
    encoder.requires_grad_(False).eval()
    if products == "int8":
        multiply_in_int8(encoder.layers, input_sizes(encoder.layers))
    return encoder


def _read_tensors(path: Path, architecture: Architecture, with_pooler: bool) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = {
                _encoder_name(plain, architecture): name
                for plain, name in unwrapped_names(file.keys(), path).items()
            }
            return {
                name: file.get_tensor(stored)
                for name, stored in names.items()
                if not LEFT.match(name) and (with_pooler or not name.startswith("pooler."))
            }
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; the model folder is incomplete") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a complete safetensors file ({error})") from error


def _encoder_name(stored: str, architecture: Architecture) -> str:
    name = stored.removeprefix(architecture.prefix + ".")
    if name.startswith(architecture.pooler + "."):
        name = "pooler" + name.removeprefix(architecture.pooler)
    # Checkpoints converted from TensorFlow, bert-base-uncased among them.
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _check_names(
    encoder: AnyEncoder, tensors: Iterable[str], architecture: Architecture, folder: Path
) -> None:
    expected, present = set(encoder.state_dict()), set(tensors)
    missing, unexpected = sorted(expected - present), sorted(present - expected)
    if missing:
        hint = (
            f"; the file has no {architecture.pooler}, which head: dense reads: use head: linear"
            if missing[0].startswith("pooler.")
            else "; the file is incomplete or of another encoder"
        )
        message = f"{folder}: {len(missing)} tensors are missing, such as {missing[0]}{hint}"
        raise WeightsError(message, missing, unexpected)
    if unexpected:
        message = (
            f"{folder}: {len(unexpected)} tensors have no place in the encoder, such as "
            f"{unexpected[0]}; the file is of another encoder"
        )
        raise WeightsError(message, missing, unexpected)


def _check_shapes(encoder: AnyEncoder, tensors: dict[str, Tensor], folder: Path) -> None:
    for name, parameter in encoder.state_dict().items():
        tensor = tensors[name]
        if tensor.shape != parameter.shape:
            raise WeightsError(
                f"{folder}: {name} has shape {tuple(tensor.shape)}, config.json wants "
                f"{tuple(parameter.shape)}; the files do not belong together"
            )
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise WeightsError(f"{folder}: {name} is not all finite floating-point numbers")
