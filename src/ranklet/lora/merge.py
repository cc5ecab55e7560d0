"""Adapters into the weights they were placed on, for prediction."""

from __future__ import annotations

import torch
from torch import nn

from ranklet.encoder.quantization import make_dense
from ranklet.lora.linear import LoRAEmbedding, LoRALinear


@torch.no_grad()
def merge_adapters(root: nn.Module) -> int:
    """Add every adapter to its frozen weight and take the adapter out, in place.

    W + scaling * B A (Hu et al. 2021, arXiv:2106.09685, section 4.1: no latency is added), its rows
    at their trained lengths with DoRA. It is made in float32 and rounded once to the compute dtype.
    Quantized weights, all of them, become dense first: few bits would lose the update.

    Args:
        root: The module to change; its own adapters are gone afterwards.

    Returns:
        The number of adapters merged.
    """
    make_dense(root)
    adapted = {
        name: module
        for name, module in root.named_modules()
        if isinstance(module, (LoRALinear, LoRAEmbedding))
    }
    for name, module in adapted.items():
        assert isinstance(module.base_layer, nn.Linear | nn.Embedding)
        module.base_layer.weight.copy_(module.merged_weight())
        parent, _, child = name.rpartition(".")
        setattr(root.get_submodule(parent), child, module.base_layer)
    return len(adapted)
