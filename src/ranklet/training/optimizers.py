"""The optimizer: AdamW over named groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ranklet.errors import ParityError


def build_optimizer(
    model: nn.Module,
    *,
    head: Sequence[str],
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
    loraplus_lr_ratio: float = 1.0,
) -> torch.optim.AdamW:
    """Build AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101) over every trainable tensor.

    Groups are `adapter` and `head`, each with its own learning rate; tensors of one dimension
    (biases) form `adapter_bias` and `head_bias`, which do not decay. With LoRA+ (Hayou et al. 2024,
    arXiv:2402.12354) every B of a linear map forms `adapter_b`; embeddings keep one rate.

    Args:
        model: The model; frozen tensors are left out.
        head: Names of the head's modules.
        learning_rate: Peak rate of the adapters and trained biases.
        head_learning_rate: Peak rate of the head.
        weight_decay: Decoupled decay per step and unit of learning rate.
        loraplus_lr_ratio: Rate of B over `learning_rate`.

    Raises:
        ParityError: A trainable tensor is in no group or in several.
    """
    groups: dict[str, dict[str, Any]] = {}
    heads = tuple(f"{module}." for module in head)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_head = name.startswith(heads)
        is_b = loraplus_lr_ratio != 1 and name.endswith(".lora_B.weight")
        group = ("head" if in_head else "adapter") + ("_bias" if parameter.ndim == 1 else "")
        adapter_rate = learning_rate * loraplus_lr_ratio if is_b else learning_rate
        group += "_b" if is_b else ""
        settings = {
            "name": group,
            "lr": head_learning_rate if in_head else adapter_rate,
            "weight_decay": 0.0 if parameter.ndim == 1 else weight_decay,
            "params": [],
        }
        groups.setdefault(group, settings)["params"].append(parameter)
    optimizer = torch.optim.AdamW(list(groups.values()), fused=True)
    check_coverage(model, optimizer)
    return optimizer


def check_coverage(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Stop unless every trainable tensor is in the optimizer exactly once.

    Raises:
        ParityError: A tensor is missing or twice there.
    """
    held = [id(tensor) for group in optimizer.param_groups for tensor in group["params"]]
    wanted = {id(tensor): name for name, tensor in model.named_parameters() if tensor.requires_grad}
    missing = [name for key, name in wanted.items() if key not in set(held)]
    if missing or len(held) != len(set(held)) or len(held) != len(wanted):
        raise ParityError(
            f"the optimizer holds {len(held)} tensors for {len(wanted)} trainable ones"
            + (f", {missing[0]} is missing" if missing else ""),
            abs(len(held) - len(wanted)),
            0,
        )
