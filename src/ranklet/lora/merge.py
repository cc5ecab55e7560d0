"""Adapters into the weights they were placed on, for prediction."""

from __future__ import annotations

import torch
from torch import nn

from ranklet.encoder.modules import replace_module
from ranklet.encoder.quantization import make_dense
from ranklet.lora.linear import LoRAEmbedding, LoRALinear


@torch.no_grad()
def merge_adapters(root: nn.Module) -> int:
    """Add every adapter to its frozen weight and take the adapter out, in place.

    W + scaling * B A (Hu et al. 2021, arXiv:2106.09685, section 4.1: no latency is added), its rows
    at their trained lengths with DoRA. It is made in float32 and rounded once to the compute dtype.
    Quantized weights, all of them, become dense first: few bits would lose the update.

    Returns:
        The number of adapters merged.
    """
    make_dense(root)
    adapters = [
        (name, module)
        for name, module in root.named_modules()
        if isinstance(module, (LoRALinear, LoRAEmbedding))
    ]
    for name, module in adapters:
        assert isinstance(module.base_layer, nn.Linear | nn.Embedding)
        module.base_layer.weight.copy_(module.merged_weight())
        replace_module(root, name, module.base_layer)
    return len(adapters)
