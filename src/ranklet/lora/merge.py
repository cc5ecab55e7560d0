"""merge: adapters into the weights they were placed on, for prediction."""

from __future__ import annotations

import torch
from torch import nn

from ranklet.lora.linear import LoRAEmbedding, LoRALinear


@torch.no_grad()
def merge_adapters(root: nn.Module) -> int:
    """Add every adapter to its frozen weight and take the adapter out, in place.

    W + scaling * B A (Hu et al. 2021, arXiv:2106.09685, section 4.1: no latency is added), its rows
    at their trained lengths with DoRA. It is made in float32 and rounded once to the compute dtype.

    Args:
        root: The module to change; its own adapters are gone afterwards.

    Returns:
        The number of adapters merged.
    """
    adapted = {
        name: module
        for name, module in root.named_modules()
        if isinstance(module, (LoRALinear, LoRAEmbedding))
    }
    for name, module in adapted.items():
        module.base_layer.weight.copy_(module.merged_weight())
        parent, _, child = name.rpartition(".")
        setattr(root.get_submodule(parent), child, module.base_layer)
    return len(adapted)
