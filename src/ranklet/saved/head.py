"""A head on disk: as ranklet holds it, and as the standard classifier that others load.

A `dense` or `frozen_dense` head is a standard classifier as it is and lies in the adapter file
alone. `low_rank` and, where it can, `linear` are folded: the adapter file holds maps that give the
same logits in transformers, and `head.safetensors` beside it holds the head itself. A head that no
classifier of transformers computes lies in the adapter file under a `peft_type` that PEFT refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ranklet.encoder.config import EncoderConfig
from ranklet.errors import AdapterError, RunError
from ranklet.files import write_atomically
from ranklet.head import HEAD_MODULES, StandardHead, is_trained, standard_head
from ranklet.lora.adapter_file import AdapterFile, read_adapter, write_adapter
from ranklet.vocabulary import HeadKind, Pooling

HEAD_FILE = "head.safetensors"

# tanh(x) differs from x by x^3 / 3: at 2^-16 of a logit of 30, by 7e-8 of it. The factor is a power
# of two, so that nothing is lost going in and out; in float16 its inverse is infinite, which shows.
_TANH_SHRINK = 2.0**-16


@dataclass(frozen=True)
class SavedTensors:
    """Every tensor of a saved classifier by what it is.

    Attributes:
        trained: What training changed: adapters, biases, the trained part of the head.
        frozen: The head's tensors that never train.
        folded: The standard classifier, where it is computed from the head in `head.safetensors`.
    """

    trained: Mapping[str, Tensor]
    frozen: Mapping[str, Tensor]
    folded: Mapping[str, Tensor]


def head_tensors(model: nn.Module, modules: Sequence[str]) -> dict[str, Tensor]:
    """Copy every tensor of a head, trained or frozen, to the CPU."""
    return {
        f"{name}.{key}": tensor.detach().clone().cpu()
        for name in modules
        for key, tensor in model.get_submodule(name).state_dict().items()
    }


def loads_in_transformers(
    head: HeadKind, pooling: Pooling, config: EncoderConfig, num_labels: int
) -> bool:
    """Tell whether transformers' classifier of an encoder can give a head's logits."""
    if head != "linear":
        return True
    standard = standard_head(config)
    if standard is None or standard.inner is None or pooling != config.classifier_pooling:
        return False
    return num_labels * (1 if standard.activation == "tanh" else 2) <= config.hidden_size


def standard_tensors(
    head: HeadKind, pooling: Pooling, config: EncoderConfig, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """Return the tensors of a standard classifier that gives the same logits.

    Returns:
        Tensors under transformers' names; None where it has no such classifier.
    """
    if head in ("dense", "frozen_dense"):
        return dict(tensors)
    standard = standard_head(config)
    if head == "low_rank":
        assert standard is not None
        return _fold_product(standard, tensors)
    if not loads_in_transformers(head, pooling, config, len(tensors["classifier.bias"])):
        return None
    assert standard is not None
    return _fold_linear(standard, config.hidden_size, tensors)


def write_tensors(
    folder: Path,
    adapter: AdapterFile,
    own: Mapping[str, Tensor],
    head: HeadKind,
    pooling: Pooling,
    config: EncoderConfig,
) -> None:
    """Write a trained classifier's tensors so that PEFT loads them, or refuses them.

    The adapter has every trained tensor, `own` those of the head, trained and frozen; on the CPU.

    Raises:
        RunError: The files cannot be written.
    """
    standard = standard_tensors(head, pooling, config, own)
    stored = own if standard is None else standard
    others = {name: tensor for name, tensor in adapter.tensors.items() if name not in own}
    prefix = f"{config.architecture.prefix}."
    modules = dict.fromkeys(name.removeprefix(prefix).split(".")[0] for name in stored)
    write_adapter(
        folder,
        replace(adapter, tensors={**others, **stored}),
        list(modules),
        in_peft=standard is not None,
    )
    if stored.keys() != own.keys():
        contiguous = {name: tensor.contiguous() for name, tensor in own.items()}
        write_atomically(folder / HEAD_FILE, save(contiguous, {"format": "pt"}))


def stored_modules(folder: Path) -> tuple[str, ...]:
    """Return every name that a module of a saved head may have in the adapter file.

    BERT's pooler takes the inner map of a folded `linear` head; else it belongs to the encoder.
    """
    return (*HEAD_MODULES, "bert.pooler") if (folder / HEAD_FILE).exists() else HEAD_MODULES


def read_tensors(folder: Path, head: HeadKind) -> SavedTensors:
    """Read every tensor of a saved classifier, sorted by what it is.

    Raises:
        AdapterError: The adapter or the head beside it is unusable.
    """
    return sort_tensors(folder, read_adapter(folder, stored_modules(folder)).tensors, head)


def sort_tensors(folder: Path, stored: Mapping[str, Tensor], head: HeadKind) -> SavedTensors:
    """Sort the tensors of a saved classifier's adapter file by what they are.

    Raises:
        AdapterError: `head.safetensors` is broken, or holds what belongs to no head.
    """
    heads = stored_modules(folder)
    in_adapter = {name: t for name, t in stored.items() if _is_in(heads, name)}
    others = {name: tensor for name, tensor in stored.items() if name not in in_adapter}
    path = folder / HEAD_FILE
    own = _read_head(path) if path.exists() else in_adapter
    return SavedTensors(
        trained=others | {name: t for name, t in own.items() if is_trained(head, name)},
        frozen={name: t for name, t in own.items() if not is_trained(head, name)},
        folded=in_adapter if path.exists() else {},
    )


def check_folded(
    folder: Path, saved: SavedTensors, head: HeadKind, pooling: Pooling, config: EncoderConfig
) -> None:
    """Refuse a classifier whose adapter file answers differently from its `head.safetensors`.

    Raises:
        RunError: The folded head is not the head's, within float32's rounding.
    """
    if not saved.folded:
        return
    own = {name: t for name, t in saved.trained.items() if _is_in(HEAD_MODULES, name)}
    expected = standard_tensors(head, pooling, config, own | dict(saved.frozen)) or {}
    alike = expected.keys() == saved.folded.keys() and all(
        tensor.shape == saved.folded[name].shape
        and torch.allclose(tensor, saved.folded[name], rtol=1e-5, atol=1e-6)
        for name, tensor in expected.items()
    )
    if not alike:
        raise RunError(
            f"{folder}: the head in the adapter file answers differently from the one in "
            f"{HEAD_FILE}; one of the two was changed"
        )


def _fold_product(standard: StandardHead, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    inner = standard.inner
    product = tensors[f"{inner}.up.weight"] @ tensors[f"{inner}.down.weight"]
    own = (f"{inner}.up.", f"{inner}.down.", f"{inner}.base_layer.")
    return {
        f"{inner}.weight": tensors[f"{inner}.base_layer.weight"] + product,
        f"{inner}.bias": tensors[f"{inner}.base_layer.bias"].clone(),
    } | {name: tensor for name, tensor in tensors.items() if not name.startswith(own)}


def _fold_linear(
    standard: StandardHead, hidden_size: int, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Let the inner map compute the logits, and the last one read them through the activation.

    relu(z) - relu(-z) and gelu(z) - gelu(-z) are z; tanh(z) is z where z is small.
    """
    weight, bias = tensors["classifier.weight"], tensors["classifier.bias"]
    ones = torch.eye(len(bias))
    if standard.activation == "tanh":
        rows, columns = weight * _TANH_SHRINK, ones / _TANH_SHRINK
    else:
        rows, columns = torch.cat([weight, -weight]), torch.cat([ones, -ones], dim=1)
    inner, last = torch.zeros(hidden_size, hidden_size), torch.zeros(len(bias), hidden_size)
    inner[: len(rows)], last[:, : len(rows)] = rows, columns
    return {
        f"{standard.inner}.weight": inner,
        f"{standard.inner}.bias": torch.zeros(hidden_size),
        f"{standard.last}.weight": last,
        f"{standard.last}.bias": bias.clone(),
    }


def _read_head(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{path}: not a complete safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if not _is_in(HEAD_MODULES, name):
            raise AdapterError(f"{path}: tensor {name!r} belongs to no head")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise AdapterError(f"{path}: tensor {name!r} is not all finite numbers")
    return {name: tensor.float() for name, tensor in tensors.items()}


def _is_in(modules: tuple[str, ...], name: str) -> bool:
    return name.startswith(tuple(f"{module}." for module in modules))
